// Reads QR codes from the camera: by the browser's own reader where there is one, else by jsQR.

import jsQR from "jsqr";

/** jsQR takes 10 to 30 ms for so many pixels on a phone, and a code at arm's length has enough of them. */
const widest = 720;
const every = 120;

interface Detector {
  detect: (of: HTMLVideoElement) => Promise<{ rawValue: string }[]>;
}

type DetectorClass = (new (of: { formats: string[] }) => Detector) & { getSupportedFormats: () => Promise<string[]> };

async function detector(): Promise<Detector | undefined> {
  const Native = (globalThis as { BarcodeDetector?: DetectorClass }).BarcodeDetector;
  if (!Native) return undefined;
  try {
    return (await Native.getSupportedFormats()).includes("qr_code") ? new Native({ formats: ["qr_code"] }) : undefined;
  } catch {
    return undefined;
  }
}

export class Camera {
  #stream: MediaStream | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #over = false;

  /** Rejects if there is no camera, or it is not allowed. */
  async start(video: HTMLVideoElement, read: (code: string) => void): Promise<void> {
    const stream = await navigator.mediaDevices.getUserMedia({ audio: false, video: { facingMode: { ideal: "environment" }, width: { ideal: 1280 }, height: { ideal: 720 } } });
    if (this.#over) return stream.getTracks().forEach((each) => each.stop());
    this.#stream = stream;
    video.srcObject = stream;
    await video.play();
    const native = await detector();
    const canvas = document.createElement("canvas");
    const look = async () => {
      if (this.#over) return;
      try {
        const text = native ? (await native.detect(video))[0]?.rawValue : pixels(video, canvas);
        if (text) read(text);
      } catch {
        // A frame that is not there yet.
      }
      if (!this.#over) this.#timer = setTimeout(() => void look(), every);
    };
    void look();
  }

  stop(): void {
    this.#over = true;
    clearTimeout(this.#timer);
    this.#stream?.getTracks().forEach((each) => each.stop());
  }
}

function pixels(video: HTMLVideoElement, canvas: HTMLCanvasElement): string | undefined {
  if (video.videoWidth === 0) return undefined;
  const scale = Math.min(1, widest / video.videoWidth);
  canvas.width = Math.round(video.videoWidth * scale);
  canvas.height = Math.round(video.videoHeight * scale);
  const paint = canvas.getContext("2d", { willReadFrequently: true })!;
  paint.drawImage(video, 0, 0, canvas.width, canvas.height);
  const { data } = paint.getImageData(0, 0, canvas.width, canvas.height);
  return jsQR(data, canvas.width, canvas.height, { inversionAttempts: "dontInvert" })?.data || undefined;
}

let audio: AudioContext | undefined;

/** High for yes, twice low for no: heard without looking. */
export function sound(yes: boolean): void {
  try {
    audio ??= new AudioContext();
    const tones = yes ? [{ at: 0, pitch: 1320, long: 0.15 }] : [{ at: 0, pitch: 220, long: 0.2 }, { at: 0.28, pitch: 220, long: 0.3 }];
    for (const { at, pitch, long } of tones) {
      const [tone, loud] = [audio.createOscillator(), audio.createGain()];
      tone.type = yes ? "sine" : "square";
      tone.frequency.value = pitch;
      loud.gain.value = 0.2;
      tone.connect(loud).connect(audio.destination);
      tone.start(audio.currentTime + at);
      tone.stop(audio.currentTime + at + long);
    }
    navigator.vibrate?.(yes ? 80 : [120, 80, 200]);
  } catch {
    // A browser without sound: color and word are there.
  }
}
