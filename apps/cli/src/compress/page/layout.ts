import { html, Markup } from './markup.js';
import { STYLE } from './style.js';

/** A whole page that needs no network: its style is in it, and it has no script. */
export function page(title: string, body: Markup): string {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <meta
          http-equiv="Content-Security-Policy"
          content="default-src 'none'; style-src 'unsafe-inline'; img-src data:"
        />
        <link rel="icon" href="data:," />
        <title>${title}</title>
        <style>
          ${new Markup(STYLE)}
        </style>
      </head>
      <body>
        <main>${body}</main>
      </body>
    </html>`.text;
}

/** A figure that is read first. */
export function tile(name: string, value: string, note: string): Markup {
  return html`<div class="tile">
    <dt>${name}</dt>
    <dd>${value}</dd>
    <dd class="note">${note}</dd>
  </div>`;
}

/** A table, figures set to the right; on a narrow page each row becomes a block of named cells. */
export function table(
  head: readonly string[],
  rows: readonly (readonly (string | Markup)[])[],
  figures: readonly number[],
): Markup {
  const aligned = (column: number): string => (figures.includes(column) ? 'figure' : '');
  return html`<table>
    ${
      head.some((name) => name !== '')
        ? html`<thead>
            <tr>
              ${head.map((name, i) => html`<th scope="col" class="${aligned(i)}">${name}</th>`)}
            </tr>
          </thead>`
        : ''
    }
    <tbody>
      ${rows.map(
        (cells) =>
          html`<tr>
            ${cells.map((cell, i) => html`<td class="${aligned(i)}" data-head="${head[i] ?? ''}">${cell}</td>`)}
          </tr>`,
      )}
    </tbody>
  </table>`;
}
