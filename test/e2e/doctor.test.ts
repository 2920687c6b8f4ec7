/** `millrace doctor` against a listener on loopback: what it finds, who refuses it, what a closed port looks like. */
import { createSocket } from 'node:dgram';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { buildCli, endPrograms, errorLines, millrace, portOf } from '../helpers/cli.ts';
import { freePort } from '../helpers/free-port.ts';

beforeAll(buildCli);
afterEach(endPrograms);

describe('millrace doctor', () => {
  it('measures the path to a receiver, beside its media, and the receiver goes on', async () => {
    const receiver = millrace(['receive', 'millrace://127.0.0.1:0/live?mode=listen', '-']);
    const port = await portOf(receiver);
    const doctor = millrace([
      'doctor',
      `millrace://127.0.0.1:${port}`,
      '--json',
      '--duration',
      '1s',
      '--inject',
      'loss=20%,seed=5',
    ]);
    const ended = await doctor.end();
    expect(ended.code, ended.stderr).toBe(0);
    const found = JSON.parse(Buffer.concat([ended.stdout]).toString());
    expect(found).toMatchObject({ udp: 'passes', rebinding: 'survived' });
    expect(found.steadyUp.lossRatio).toBeGreaterThan(0.02);
    expect(found.steadyDown.lost).toBe(0);
    expect(found.diagnosis.outgoing.cause).toBe('path');
    expect(found.diagnosis.incoming.cause).toBe('none');
    expect(found.capacityUpBps).toBeGreaterThan(100_000);
    expect(found.datagramBytes).toBeGreaterThanOrEqual(1200);
    expect(found.latencyMs).toBeGreaterThan(33);
    const sender = millrace([
      'send',
      'test:?duration=300ms&bitrate=500k',
      `millrace://127.0.0.1:${port}/live`,
    ]);
    expect((await sender.end()).code).toBe(0);
    expect((await receiver.end()).code).toBe(0);
  });

  it('is refused where the listener was told so', async () => {
    const receiver = millrace(['receive', 'millrace://127.0.0.1:0/live?mode=listen', '-', '--no-doctor']);
    const port = await portOf(receiver);
    const ended = await millrace(['doctor', `millrace://127.0.0.1:${port}`]).end();
    expect(ended.code).toBe(1);
    expect(errorLines(ended).join()).toMatch(/answers no doctor/);
    receiver.kill('SIGTERM');
    await receiver.end();
  });

  it('tells a port where nobody listens', async () => {
    const port = await freePort();
    const ended = await millrace(['doctor', `millrace://127.0.0.1:${port}`]).end();
    expect(ended.code).toBe(1);
    expect(ended.stdout.toString()).toMatch(/nobody listens there, or a firewall/);
    expect(errorLines(ended).join()).toMatch(/ERR_MILLRACE_REFUSED/);
    expect(ended.stderr).not.toMatch(/--reconnect/);
  });

  it('tells a host that is silent, and that it answers TCP', async () => {
    const silent = createSocket('udp4');
    await new Promise<void>((resolve) => silent.bind(0, '127.0.0.1', resolve));
    const { port } = silent.address();
    const ended = await millrace(['doctor', `millrace://127.0.0.1:${port}`, '--timeout', '300ms']).end();
    silent.close();
    expect(ended.code).toBe(1);
    expect(ended.stdout.toString()).toMatch(/Nothing came back/);
    expect(ended.stderr).toMatch(
      /it answers TCP: UDP, or its datagrams of 1200 bytes, are stopped on the way/,
    );
  });

  it('prints one object whatever went wrong', async () => {
    const listen = ['receive', 'millrace://127.0.0.1:0/live?mode=listen', '-'];
    const receivers = [millrace(listen), millrace([...listen, '--no-doctor'])];
    const [port, shut] = await Promise.all(receivers.map(portOf));
    const closed = await freePort();
    const other = { MILLRACE_PASSPHRASE: 'another horse battery' };
    const [refused, differs, nobody, nowhere] = await Promise.all([
      millrace(['doctor', `millrace://127.0.0.1:${shut}`, '--json']).end(),
      millrace(['doctor', `millrace://127.0.0.1:${port}`, '--json'], other).end(),
      millrace(['doctor', `millrace://127.0.0.1:${closed}`, '--json']).end(),
      millrace(['doctor', 'millrace://no-such-host.invalid:9000', '--json']).end(),
    ]);
    for (const receiver of receivers) receiver.kill('SIGTERM');
    await Promise.all(receivers.map((receiver) => receiver.end()));
    const found = [refused, differs, nobody, nowhere].map(({ stdout }) => JSON.parse(stdout.toString()));
    expect(found[0]).toMatchObject({ udp: 'passes', message: expect.stringMatching(/answers no doctor/) });
    expect(found[1]).toMatchObject({ udp: 'passes', reason: 'ERR_MILLRACE_PASSPHRASE' });
    expect(found[2]).toMatchObject({ udp: 'closed', reason: 'ERR_MILLRACE_REFUSED' });
    expect(found[3]).toMatchObject({ udp: 'untried', reason: 'ERR_MILLRACE_UNKNOWN_HOST' });
  });

  it('tells what it has measured when the path dies midway', async () => {
    const receiver = millrace(['receive', 'millrace://127.0.0.1:0/live?mode=listen', '-']);
    const target = `millrace://127.0.0.1:${await portOf(receiver)}`;
    const doctor = millrace(['doctor', target, '--json', '--duration', '3s']);
    await doctor.says(/measuring capacity/);
    receiver.kill('SIGKILL');
    const ended = await doctor.end();
    expect(ended.code).toBe(1);
    const found = JSON.parse(ended.stdout.toString());
    expect(found).toMatchObject({ udp: 'passes', reason: 'ERR_MILLRACE_IDLE_TIMEOUT' });
    expect(found.steadyUp.received).toBeGreaterThan(0);
    expect(found.latencyMs).toBeGreaterThan(0);
  });
});
