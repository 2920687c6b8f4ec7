/** SIGINT and SIGTERM end a session gracefully at both ends; pipes that close end it quietly. */
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { buildCli, endPrograms, errorLines, millrace, type Program, portOf } from '../helpers/cli.ts';

beforeAll(buildCli);
afterEach(endPrograms);

/** A live call whose frames arrive: `listener` names the side that listens. */
async function call(listener: 'send' | 'receive'): Promise<{ sender: Program; receiver: Program }> {
  const json = ['--stats-json', 'stderr'];
  const send = (to: string): Program => millrace(['send', 'test:?bitrate=1M', to, ...json]);
  const receive = (from: string): Program => millrace(['receive', from, 'test:', ...json]);
  const first = listener === 'send' ? send('millrace://:0') : receive('millrace://:0');
  const address = `millrace://127.0.0.1:${await portOf(first)}`;
  const second = listener === 'send' ? receive(address) : send(address);
  const [sender, receiver] = listener === 'send' ? [first, second] : [second, first];
  await Promise.all([sender.says(/"framesSent":[1-9]/), receiver.says(/"framesOnTime":[1-9]/)]);
  return { sender, receiver };
}

describe('a signal', () => {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    for (const side of ['sender', 'receiver'] as const) {
      it(`${signal} at a calling sender's call, sent to the ${side}: both ends exit 0 with a summary`, async () => {
        const programs = await call('receive');
        programs[side].kill(signal);
        const [sent, received] = await Promise.all([programs.sender.end(), programs.receiver.end()]);
        expect([sent.code, received.code], sent.stderr + received.stderr).toEqual([0, 0]);
        expect(sent.stderr).toMatch(/"final":true/);
        expect(received.stderr).toMatch(/"final":true/);
        expect([...errorLines(sent), ...errorLines(received)]).toEqual([]);
      });
    }
  }

  it('at a listening sender ends the receiver that called it', async () => {
    const { sender, receiver } = await call('send');
    sender.kill('SIGTERM');
    const [sent, received] = await Promise.all([sender.end(), receiver.end()]);
    expect([sent.code, received.code], sent.stderr + received.stderr).toEqual([0, 0]);
  });

  it('at a listener that nobody has called ends it', async () => {
    const receiver = millrace(['receive', 'millrace://:0', '-']);
    await portOf(receiver);
    receiver.kill('SIGINT');
    expect((await receiver.end()).code).toBe(0);
  });
});

describe('a pipe', () => {
  it('whose reader goes away ends the receiver quietly', async () => {
    const receiver = millrace(['receive', 'millrace://:0', '-']);
    const sender = millrace(['send', 'test:?bitrate=4M', `millrace://127.0.0.1:${await portOf(receiver)}`]);
    await receiver.writes(1);
    receiver.child.stdout.destroy();
    const [sent, received] = await Promise.all([sender.end(), receiver.end()]);
    expect(received.code, received.stderr).toBe(0);
    expect(errorLines(received)).toEqual([]);
    expect(sent.signal, sent.stderr).toBe(null);
  });
});
