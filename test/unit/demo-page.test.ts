/** The pure parts of the demo's page: what is measured, which pictures are sent, and what is said. */
import { describe, expect, it } from 'vitest';
import { type PathSettings, parseSettings, READY_MADE, START_SETTINGS } from '../../demo/network/settings.ts';
import { BitrateRamp, FrameDropper, SizeLadder } from '../../demo/page/encoder-pace.ts';
import { LayerReader, LayerWriter } from '../../demo/page/layers.ts';
import { FreezeMeter, LatencyMeter, SourceLog } from '../../demo/page/measure.ts';
import { settingsFrom, withSettings } from '../../demo/page/query.ts';
import { describe as describeMoment, type Moment, type SideMood } from '../../demo/page/sentence.ts';

/** A source of 30 pictures a second, from 0 to `untilMs`, silent between `pauseFromMs` and `pauseToMs`. */
function sourceLog(untilMs: number, pauseFromMs = 0, pauseToMs = 0): SourceLog {
  const log = new SourceLog();
  for (let i = 0; (i * 1_000) / 30 <= untilMs; i++) {
    const atMs = (i * 1_000) / 30;
    if (atMs <= pauseFromMs || atMs >= pauseToMs) log.onCapture(atMs);
  }
  return log;
}

describe('the freeze meter', () => {
  it('counts nothing while pictures come, however late they are', () => {
    const meter = new FreezeMeter(sourceLog(10_000));
    for (let i = 0; i < 200; i++) meter.onShown((i * 1_000) / 30 + 1_500, (i * 1_000) / 30);
    expect(meter.frozenMs(200 * (1_000 / 30) + 1_500)).toBe(0);
  });

  it('counts a picture that stands for 300 ms less the interval that it may stand', () => {
    const meter = new FreezeMeter(sourceLog(10_000));
    meter.onShown(1_000, 900);
    meter.onShown(1_300, 1_200);
    expect(meter.freezes(1_310)).toBe(1);
    expect(meter.frozenMs(1_310)).toBeCloseTo(300 - 1_000 / 30, 0);
  });

  it('counts the freeze that is going on, once', () => {
    const meter = new FreezeMeter(sourceLog(10_000));
    meter.onShown(1_000, 900);
    expect([1_150, 2_000, 3_000].map((nowMs) => meter.freezes(nowMs))).toEqual([0, 1, 1]);
    expect(meter.frozenMs(3_000)).toBeCloseTo(2_000 - 1_000 / 30, 0);
  });

  it('takes out a pause of the page while pictures were on their way', () => {
    const meter = new FreezeMeter(sourceLog(10_000, 1_000, 1_500));
    meter.onShown(1_000, 900);
    meter.onShown(1_510, 933);
    expect(meter.freezes(1_520)).toBe(0);
  });

  it('still counts what the transport adds to such a pause', () => {
    const meter = new FreezeMeter(sourceLog(10_000, 1_000, 1_500));
    meter.onShown(1_000, 900);
    meter.onShown(2_000, 933);
    expect(meter.freezes(2_010)).toBe(1);
    expect(meter.frozenMs(2_010)).toBeCloseTo(500, -2);
  });

  it('takes out a pause of the source itself', () => {
    const meter = new FreezeMeter(sourceLog(10_000, 1_000, 1_500));
    meter.onShown(1_100, 1_000);
    meter.onShown(1_600, 1_500);
    expect(meter.freezes(1_610)).toBe(0);
  });
});

it('percentiles of latency are exact to a millisecond', () => {
  const meter = new LatencyMeter();
  for (let ms = 1; ms <= 1_000; ms++) meter.add(ms);
  expect([0.5, 0.95, 1].map((part) => meter.percentileMs(part))).toEqual([500, 950, 1_000]);
  expect(meter.takeLargestMs()).toBe(1_000);
  expect(meter.takeLargestMs()).toBeUndefined();
});

describe('temporal layers', () => {
  const picture = (writer: LayerWriter, isBase: boolean, keyFrame = false) => ({
    data: writer.wrap(Uint8Array.of(7), isBase),
    keyFrame,
    discardable: !isBase,
  });

  it('a missing picture that no other needs stops nothing', () => {
    const [writer, reader] = [new LayerWriter(), new LayerReader()];
    expect(reader.accepts(picture(writer, true, true))).toBe(true);
    picture(writer, false);
    expect(reader.accepts(picture(writer, true))).toBe(true);
    expect(reader.needsKeyFrame).toBe(false);
  });

  it('a missing base picture stops until a key frame, also when numbers wrap', () => {
    const [writer, reader] = [new LayerWriter(), new LayerReader()];
    expect(reader.accepts(picture(writer, true, true))).toBe(true);
    for (let i = 0; i < 300; i++) expect(reader.accepts(picture(writer, true))).toBe(true);
    picture(writer, true);
    expect(reader.accepts(picture(writer, false))).toBe(false);
    expect(reader.needsKeyFrame).toBe(true);
    expect(reader.accepts(picture(writer, true))).toBe(false);
    expect(reader.accepts(picture(writer, true, true))).toBe(true);
  });
});

describe('an encoder that is kept to its target', () => {
  it('leaves out pictures while it is ahead, and its bitrate stays within a tenth', () => {
    const dropper = new FrameDropper();
    let bits = 0;
    for (let i = 0; i < 900; i++) {
      if (dropper.skips((i * 1_000) / 30, 300_000)) continue;
      bits += 8 * 2_500;
      dropper.onEncoded(2_500);
    }
    // Let loose, it would have been 600 kbit/s.
    expect(bits / 30).toBeGreaterThan(270_000);
    expect(bits / 30).toBeLessThan(330_000);
  });

  it('begins small, grows when the target has carried more for a while, and shrinks soon', () => {
    const sizes = new SizeLadder(640, 360);
    expect(sizes.scale(0, 2e6)).toBe(0.5);
    expect(sizes.scale(1_000, 2e6)).toBe(0.5);
    expect(sizes.scale(2_600, 2e6)).toBe(1);
    expect(sizes.scale(2_700, 100_000)).toBe(1);
    expect(sizes.scale(3_300, 100_000)).toBeLessThan(1);
  });

  it('comes up to its target within seconds, and follows a fall at once', () => {
    const ramp = new BitrateRamp();
    expect(ramp.limit(0, 2.5e6)).toBe(400_000);
    let limit = 0;
    for (let nowMs = 33; nowMs <= 4_000; nowMs += 33) limit = ramp.limit(nowMs, 2.5e6);
    expect(limit).toBe(2.5e6);
    expect(ramp.limit(4_100, 300_000)).toBe(300_000);
    expect(ramp.limit(4_200, 2.4e6)).toBe(2.4e6);
  });
});

describe('the state in the address', () => {
  it('survives a round trip', () => {
    const settings: PathSettings = {
      lossRatio: 0.03,
      burst: 2,
      rttMs: 90,
      jitterMs: 5,
      capacityBps: 2e6,
    };
    expect(settingsFrom(withSettings(new URLSearchParams(), settings), START_SETTINGS)).toEqual(settings);
  });

  it('takes nonsense as nothing and keeps everything else within its limits', () => {
    const query = new URLSearchParams('loss=7&rtt=banana&capacity=-1');
    const { lossRatio, rttMs, capacityBps } = settingsFrom(query, START_SETTINGS);
    expect([lossRatio, rttMs, capacityBps]).toEqual([0.2, START_SETTINGS.rttMs, 300_000]);
    expect(parseSettings(null, START_SETTINGS)).toBe(START_SETTINGS);
  });

  it('has ready-made networks within the limits', () => {
    for (const { name, settings } of READY_MADE) {
      expect(parseSettings(settings, START_SETTINGS), name).toEqual(settings);
    }
  });
});

describe('the sentence', () => {
  const mood: SideMood = { latencyMs: 150, frozenRatio: 0, repaired: 0, bitsPerSecond: 2.1e6, status: '' };
  const moment: Moment = { settings: START_SETTINGS, tcp: mood, millrace: mood, event: undefined };

  it('says who waits and who repairs', () => {
    const tcp = { ...mood, latencyMs: 1_240, frozenRatio: 0.34, bitsPerSecond: 260_000 };
    expect(describeMoment({ ...moment, tcp, millrace: { ...mood, repaired: 20 } })).toBe(
      '5 % of the packets are lost, 150 ms there and back. TCP waits for every lost packet: 1.24 s behind, frozen 34 % of the time, at 260 kbit/s. millrace repairs them in time: 0.15 s behind, never frozen, at 2.1 Mbit/s.',
    );
  });

  it('says that both are alike on a clean path', () => {
    const settings = { ...START_SETTINGS, lossRatio: 0, rttMs: 40 };
    expect(describeMoment({ ...moment, settings })).toBe(
      'No loss, 40 ms there and back. Both show the same moment, 0.15 s behind the camera.',
    );
  });

  it('puts what stands in the way first', () => {
    const millrace = { ...mood, status: 'the passphrase differs' };
    expect(describeMoment({ ...moment, millrace })).toBe('The passphrase differs.');
  });
});
