/** Sliders and buttons of the network. In: settings. Out: changed settings, as people move them. */
import { type PathSettings, READY_MADE, SETTING_LIMITS } from '../network/settings.ts';
import { rate } from './sentence.ts';

interface SliderSpec {
  readonly name: keyof PathSettings;
  readonly label: string;
  readonly step: number;
  /** Capacity spans three orders of magnitude: its slider moves by factors. */
  readonly logarithmic?: boolean;
  readonly text: (value: number) => string;
}

const SLIDERS: readonly SliderSpec[] = [
  { name: 'lossRatio', label: 'Loss', step: 0.005, text: (value) => `${Number((value * 100).toFixed(1))} %` },
  { name: 'burst', label: 'In runs of', step: 0.5, text: (value) => `${Number(value.toFixed(1))}` },
  { name: 'rttMs', label: 'Round trip', step: 10, text: (value) => `${Math.round(value)} ms` },
  { name: 'jitterMs', label: 'Jitter', step: 1, text: (value) => `± ${Math.round(value)} ms` },
  { name: 'capacityBps', label: 'Capacity', step: 0.01, logarithmic: true, text: rate },
];

export class Controls {
  /** Somebody moved a slider or chose a network. */
  onChange: (settings: PathSettings) => void = () => {};
  #settings: PathSettings;
  readonly #shown: (() => void)[] = [];

  constructor(sliders: HTMLElement, buttons: HTMLElement, settings: PathSettings) {
    this.#settings = settings;
    for (const spec of SLIDERS) this.#addSlider(sliders, spec);
    for (const { name, settings: chosen } of READY_MADE) {
      const button = document.createElement('button');
      button.type = 'button';
      button.textContent = name;
      button.addEventListener('click', () => this.#change(chosen));
      buttons.append(button);
      this.#shown.push(() => {
        const isChosen = Object.entries(chosen).every(
          ([key, value]) => this.#settings[key as keyof PathSettings] === value,
        );
        button.setAttribute('aria-pressed', String(isChosen));
      });
    }
    this.show(settings);
  }

  get settings(): PathSettings {
    return this.#settings;
  }

  #addSlider(parent: HTMLElement, spec: SliderSpec): void {
    const { name, label, step, logarithmic = false, text } = spec;
    const [least, most] = SETTING_LIMITS[name];
    const box = document.createElement('div');
    box.className = 'slider';
    const caption = document.createElement('label');
    const output = document.createElement('output');
    const input = document.createElement('input');
    input.type = 'range';
    input.id = `slider-${name}`;
    input.min = String(logarithmic ? Math.log10(least) : least);
    input.max = String(logarithmic ? Math.log10(most) : most);
    input.step = String(step);
    caption.htmlFor = input.id;
    caption.append(label, output);
    box.append(caption, input);
    parent.append(box);
    input.addEventListener('input', () => {
      const value = logarithmic ? 10 ** input.valueAsNumber : input.valueAsNumber;
      this.#change({ ...this.#settings, [name]: value });
    });
    this.#shown.push(() => {
      const value = this.#settings[name];
      input.value = String(logarithmic ? Math.log10(value) : value);
      output.textContent = text(value);
      input.setAttribute('aria-valuetext', text(value));
    });
  }

  #change(settings: PathSettings): void {
    this.show(settings);
    this.onChange(settings);
  }

  /** Without telling anybody. */
  show(settings: PathSettings): void {
    this.#settings = settings;
    for (const show of this.#shown) show();
  }
}
