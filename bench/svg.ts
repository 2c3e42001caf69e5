/**
 * A small SVG writer: shapes and text with the colours of the plots, on a white ground so that they read on dark pages too.
 */

export const INK = '#1f2328';
export const FAINT = '#8c959f';
export const GRID = '#d8dee4';
const FONT = 'system-ui, sans-serif';

const escaped = (text: string): string => text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);

export class Drawing {
  readonly #title: string;
  readonly #width: number;
  readonly #height: number;
  readonly #parts: string[] = [];

  /** Sizes in pixels. The title is what those hear who do not see the plot. */
  constructor(title: string, width: number, height: number) {
    this.#title = title;
    this.#width = width;
    this.#height = height;
  }

  rectangle(x: number, y: number, width: number, height: number, colour: string): void {
    this.#parts.push(`<rect x="${x}" y="${y}" width="${width.toFixed(1)}" height="${height}" fill="${colour}"/>`);
  }

  line(x1: number, y1: number, x2: number, y2: number, colour: string): void {
    this.#parts.push(
      `<line x1="${x1.toFixed(1)}" y1="${y1.toFixed(1)}" x2="${x2.toFixed(1)}" y2="${y2.toFixed(1)}" stroke="${colour}"/>`,
    );
  }

  path(points: readonly (readonly [x: number, y: number])[], colour: string): void {
    const list = points.map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`).join(' ');
    this.#parts.push(`<polyline points="${list}" fill="none" stroke="${colour}" stroke-width="2"/>`);
    for (const [x, y] of points)
      this.#parts.push(`<circle cx="${x.toFixed(1)}" cy="${y.toFixed(1)}" r="3" fill="${colour}"/>`);
  }

  text(
    x: number,
    y: number,
    text: string,
    style: { size?: number; colour?: string; bold?: boolean; end?: boolean } = {},
  ): void {
    const { size = 11, colour = INK, bold = false, end = false } = style;
    const more = `${bold ? ' font-weight="600"' : ''}${end ? ' text-anchor="end"' : ''}`;
    this.#parts.push(`<text x="${x}" y="${y}" font-size="${size}" fill="${colour}"${more}>${escaped(text)}</text>`);
  }

  /** The whole file. */
  toString(): string {
    const size = `width="${this.#width}" height="${this.#height}" viewBox="0 0 ${this.#width} ${this.#height}"`;
    const ground = `<rect width="${this.#width}" height="${this.#height}" fill="#ffffff"/>`;
    return [
      `<svg xmlns="http://www.w3.org/2000/svg" ${size} font-family="${FONT}">`,
      `<title>${escaped(this.#title)}</title>`,
      ground,
      ...this.#parts,
      '</svg>',
      '',
    ].join('\n');
  }
}
