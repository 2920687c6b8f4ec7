/** `millrace doctor` against a listener on loopback: what it finds, who refuses it, what a closed port looks like. */
import { createSocket } from 'node:dgram';
import { describe, expect, it } from 'vitest';
import { errorLines, millrace, portOf } from '../helpers/cli.ts';
import { freePort } from '../helpers/free-port.ts';

describe('millrace doctor', () => {
  it('measures the path to a receiver, beside its media, and the receiver goes on', async () => {
    const receiver = millrace(['receive', 'millrace://127.0.0.1:0/live?mode=listen', '-']);
    const port = await portOf(receiver);
    const doctor = millrace([
      'doctor',
      `millrace://127.0.0.1:${port}`,
      '--json',
      '--duration',
      '300ms',
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
    expect(ended.stdout.toString()).toMatch(/nobody listens at that port/);
    expect(errorLines(ended).join()).toMatch(/ERR_MILLRACE_REFUSED/);
  });

  it('tells a host that is silent, and that it answers TCP', async () => {
    const silent = createSocket('udp4');
    await new Promise<void>((resolve) => silent.bind(0, '127.0.0.1', resolve));
    const { port } = silent.address();
    const ended = await millrace(['doctor', `millrace://127.0.0.1:${port}`, '--timeout', '300ms']).end();
    silent.close();
    expect(ended.code).toBe(1);
    expect(ended.stdout.toString()).toMatch(/Nothing came back/);
    expect(ended.stderr).toMatch(/it answers TCP: UDP is stopped on the way/);
  });
});
