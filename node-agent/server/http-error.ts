/** An answer that is not 200; the message is for the client. */
export class HttpError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.name = "HttpError";
    this.status = status;
  }
}

/** The decoded parts of a path. Whatever could climb out of its place, plain or encoded, is not found (RELIABILITY §4). */
export function pathSegments(path: string): string[] {
  const parts = path.split("/").slice(1);
  if (parts.at(-1) === "") parts.pop();
  return parts.map((part) => {
    let decoded: string;
    try {
      decoded = decodeURIComponent(part);
    } catch {
      throw new HttpError(404, "404 page not found");
    }
    if (decoded === "" || decoded === "." || decoded === ".." || /[/\\\0]/.test(decoded))
      throw new HttpError(404, "404 page not found");
    return decoded;
  });
}
