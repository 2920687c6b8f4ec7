/** What tracks are called: docs/cli.md. */
import { describe, expect, it } from 'vitest';
import { kindOf, labelOf, nameOf } from '../../src/cli/track-labels.ts';

describe('the label of a track', () => {
  it('is that of its MEDIA', () => {
    expect(labelOf('audio,left', undefined)).toBe('audio,left');
    expect(labelOf('camera', 3)).toBe('camera');
  });

  it('is one of several behind one # where a record pipe carries several tracks', () => {
    expect([0, 1, 2].map((track) => labelOf('video,audio', track))).toEqual(['video', 'audio', '']);
  });

  it('makes the track of its kind, else video', () => {
    expect(['audio 1', 'Data', 'camera', ''].map(kindOf)).toEqual(['audio', 'data', 'video', 'video']);
  });
});

describe('the name of a track', () => {
  it('is its label, else its number', () => {
    expect(nameOf('camera', 1, undefined)).toBe('camera');
    expect(nameOf('', 1, undefined)).toBe('1');
    expect(nameOf('', 0, 7)).toBe('7');
  });

  it('has the number too where tracks share a label', () => {
    expect([nameOf('camera', 0, 2), nameOf('video,audio', 0, 1)]).toEqual(['camera/2', 'audio']);
  });
});
