// What people type, measured as the server measures it (services/common/text/written.py).

/** What changes nothing a reader sees: the server leaves it out, so it does not count. */
const dropped = /\u00ad|\u034f|\u061c|\u17b4|\u17b5|[\u200b\u200e\u200f]|[\u2060-\u2064]|\ufeff/g;
const partsEach = 10;

/** The text without what the server leaves out, on one line unless it may have several. */
export function written(text: string, lines = false): string {
  const plain = text.replace(dropped, '').replaceAll('\r\n', '\n').normalize('NFC');
  return (lines ? plain : plain.replace(/\s+/g, ' ')).trim();
}

/** Characters as a reader counts them: extended grapheme clusters (UAX 29). */
export function graphemes(text: string): number {
  let count = 0;
  for (const part of new Intl.Segmenter('und', { granularity: 'grapheme' }).segment(text)) if (part.segment) count += 1;
  return count;
}

/** How much of `max` characters a text takes. Where only `parts` code points can be kept, emoji of many parts take more. */
export function taken(text: string, max: number, parts = max * partsEach, lines = false): number {
  const kept = written(text, lines);
  return Math.max(graphemes(kept), Math.ceil(([...kept].length * max) / parts));
}

const zeros = [0x30, 0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xce6, 0xd66, 0xe50, 0xed0, 0xf20, 0x1040, 0x17e0, 0x1810, 0xff10];

/** A number as it was typed, in the digits 0 to 9: any script's digits, without spaces, dashes and marks among them. */
export function westernDigits(text: string): string {
  return text.replace(/[\s\p{Pd}\p{Cf}\u2212]/gu, '').replace(/\p{Nd}/gu, (digit) => {
    const code = digit.codePointAt(0) ?? 0;
    const zero = zeros.find((each) => code >= each && code <= each + 9);
    return zero === undefined ? digit : String(code - zero);
  });
}
