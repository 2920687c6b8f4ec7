/**
 * One end of the timing check, a process of its own: `probe.ts receive PACKETS` or `probe.ts send HOST PACKETS RATE_BPS`.
 * The sender writes the instant of sending into each packet; the receiver prints how long each took, microseconds, as one
 * JSON array. Both read the same monotonic clock.
 */
import { createSocket } from 'node:dgram';
import process from 'node:process';

export const PROBE_PORT = 9_999;
/** Fills an IP packet of 1500 bytes. */
const PAYLOAD_BYTES = 1_472;
const IP_BYTES = 1_500;
const GIVE_UP_MS = 2_000;

function nowUs(): number {
  return Number(process.hrtime.bigint() / 1_000n);
}

function receive(packets: number): void {
  const socket = createSocket({ type: 'udp4', recvBufferSize: 4 << 20 });
  const tookUs: number[] = [];
  let timer: NodeJS.Timeout | undefined;
  const finish = (): void => {
    process.stdout.write(JSON.stringify(tookUs));
    socket.close();
  };
  socket.on('message', (message) => {
    tookUs.push(nowUs() - message.readDoubleBE(0));
    if (tookUs.length === packets) {
      clearTimeout(timer);
      finish();
    } else timer = timer?.refresh() ?? setTimeout(finish, GIVE_UP_MS);
  });
  socket.bind(PROBE_PORT, () => process.stderr.write('bound\n'));
}

function send(host: string, packets: number, rateBps: number): void {
  const socket = createSocket('udp4');
  const spacingUs = (IP_BYTES * 8e6) / rateBps;
  socket.connect(PROBE_PORT, host, () => {
    const startUs = nowUs();
    let sent = 0;
    const turn = (): void => {
      for (const dueBy = (nowUs() - startUs) / spacingUs; sent < Math.min(packets, dueBy); sent++) {
        // Each its own buffer: the kernel may take it later than this turn.
        const payload = Buffer.alloc(PAYLOAD_BYTES);
        payload.writeDoubleBE(nowUs());
        socket.send(payload);
      }
      if (sent < packets) setTimeout(turn, 1);
      else setTimeout(() => socket.close(), 500);
    };
    turn();
  });
}

const [role, ...rest] = process.argv.slice(2);
if (role === 'receive') receive(Number(rest[0]));
else send(rest[0] as string, Number(rest[1]), Number(rest[2]));
