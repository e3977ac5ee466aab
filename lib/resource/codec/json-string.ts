// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters that JSON escapes
const NEEDS_ESCAPE = /["\\<>&\u0000-\u001f\u2028\u2029\ud800-\udfff]/;
const HTML = /[<>&\u2028\u2029]/g;

function escapeCharacter(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

/** A JSON string as upstream writes it: also `< > &` and the line separators are escaped. */
export function quote(text: string): string {
  return NEEDS_ESCAPE.test(text) ? escapeHtml(JSON.stringify(text)) : `"${text}"`;
}

/** Escapes in JSON text what Go escapes beyond JSON.stringify; such characters stand only within strings. */
export function escapeHtml(json: string): string {
  return json.replace(HTML, escapeCharacter);
}

const SPACE_OR_HTML = /[\s<>&]/;

/** JSON text as upstream prints it: without spaces between its parts, and with the escapes of `quote`. */
export function compactJson(json: string): string {
  return SPACE_OR_HTML.test(json) ? escapeHtml(withoutSpaces(json)) : json;
}

/** JSON text without spaces between its parts. */
export function withoutSpaces(json: string): string {
  let out = "";
  let from = 0;
  for (let index = 0; index < json.length; index++) {
    const code = json.charCodeAt(index);
    if (code === 0x22) {
      index = endOfString(json, index);
    } else if (code === 0x20 || (code >= 0x09 && code <= 0x0d)) {
      out += json.slice(from, index);
      from = index + 1;
    }
  }
  return out + json.slice(from);
}

/** Index of the quote that closes the string which begins at `start`; the text's length if it is not closed. */
export function endOfString(text: string, start: number): number {
  for (let index = start + 1; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code === 0x22) {
      return index;
    }
    if (code === 0x5c) {
      index++;
    }
  }
  return text.length;
}
