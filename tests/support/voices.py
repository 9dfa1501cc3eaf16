"""Voices for tests: tones and synthesised speech as files, and what was heard measured against them."""

import math
import shutil
import struct
import subprocess
import wave
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

SAMPLE_RATE = 48_000
Samples = NDArray[np.float32]


def tone(path: Path, hertz: float, seconds: float = 2.0, level: float = 0.4) -> Path:
    """A steady tone that loops without a click: a whole number of periods."""
    periods = round(hertz * seconds)
    count = round(periods * SAMPLE_RATE / hertz)
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(SAMPLE_RATE)
        values = (int(32767 * level * math.sin(2 * math.pi * hertz * n / SAMPLE_RATE)) for n in range(count))
        out.writeframes(b"".join(struct.pack("<h", value) for value in values))
    return path


def silence(path: Path, seconds: float = 1.0) -> Path:
    """Digital silence."""
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(SAMPLE_RATE)
        out.writeframes(b"\0\0" * int(SAMPLE_RATE * seconds))
    return path


def speech(path: Path, text: str, language: str = "en") -> Path | None:
    """Synthesised speech, or None where espeak-ng is not installed."""
    if not shutil.which("espeak-ng"):
        return None
    subprocess.run(["espeak-ng", "-v", language, "-s", "150", "-w", str(path), text], check=True)
    return path


def english(path: Path, text: str, quiet_seconds: float = 1.5) -> Path:
    """A sentence in a voice that a recogniser understands, and silence after it; by flite."""
    plain = path.with_suffix(".flite.wav")
    subprocess.run(["flite", "-voice", "rms", "-t", text, "-o", str(plain)], check=True)
    with wave.open(str(plain), "rb") as said, wave.open(str(path), "wb") as out:
        out.setparams(said.getparams())
        out.writeframes(said.readframes(said.getnframes()))
        out.writeframes(bytes(2 * int(said.getframerate() * quiet_seconds)))
    return path


needs_english = pytest.mark.skipif(
    shutil.which("flite") is None, reason="flite is not installed: it is the Debian package of that name"
)


def power_at(samples: Samples, hertz: float) -> float:
    """Share of the signal's power within 8 Hz of a frequency, 0 to 1; 0 for silence."""
    if len(samples) == 0 or float(np.max(np.abs(samples))) < 1e-4:
        return 0.0
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)))) ** 2
    frequencies = np.fft.rfftfreq(len(samples), 1 / SAMPLE_RATE)
    near = spectrum[np.abs(frequencies - hertz) < 8].sum()
    total = spectrum[frequencies > 50].sum()
    return float(near / total) if total > 0 else 0.0


def mostly_at(samples: Samples, hertz: float) -> float:
    """The same in most quarters of a second: packets that a busy machine lost are no other sound."""
    pieces = np.array_split(samples, max(1, 4 * len(samples) // SAMPLE_RATE))
    return float(np.median([power_at(piece, hertz) for piece in pieces]))


def rms(samples: Samples) -> float:
    """Root mean square, 1.0 for full scale."""
    return float(np.sqrt(np.mean(np.square(samples)))) if len(samples) else 0.0


def envelope(samples: Samples, hertz: float = 50.0) -> Samples:
    """Loudness over time, one value per 1/hertz seconds."""
    step = int(SAMPLE_RATE / hertz)
    count = len(samples) // step
    blocks = samples[: count * step].reshape(count, step)
    loudness: Samples = np.sqrt(np.mean(np.square(blocks), axis=1)).astype(np.float32)
    return loudness


def likeness(heard: Samples, said: Samples) -> float:
    """Best correlation of two loudness curves over all shifts, -1 to 1: words match their own recording only."""
    curve, reference = envelope(heard), envelope(said)
    if len(reference) > len(curve):
        curve, reference = reference, curve
    best = -1.0
    for shift in range(len(curve) - len(reference) + 1):
        window = curve[shift : shift + len(reference)]
        if window.std() > 1e-5 and reference.std() > 1e-5:
            best = max(best, float(np.corrcoef(window, reference)[0, 1]))
    return best


def loudness_at(samples: Samples, hertz: float, seconds: float = 0.02) -> Samples:
    """Amplitude of one frequency over time, one value for each so many seconds."""
    step = int(SAMPLE_RATE * seconds)
    blocks = samples[: len(samples) // step * step].reshape(-1, step)
    window = np.hanning(step)
    wave = window * np.exp(-2j * math.pi * hertz * np.arange(step) / SAMPLE_RATE)
    # No product of matrices: its threads wait for cores by spinning, for 20 ms where both have other work to do.
    loudness: Samples = (2 * np.abs((blocks * wave).sum(axis=1)) / window.sum()).astype(np.float32)
    return loudness
