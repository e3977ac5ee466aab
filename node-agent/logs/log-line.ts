/** One line of a container's log in the CRI's format: `<time> <stream> <P|F> <text>`. */
export interface LogLine {
  /** RFC 3339 with nanoseconds, as written. */
  readonly time: string;
  readonly stream: "stdout" | "stderr";
  /** The container's line goes on in the next one. */
  readonly partial: boolean;
  readonly text: string;
}

/** Undefined for what is not such a line. */
export function parseLogLine(line: string): LogLine | undefined {
  const timeEnd = line.indexOf(" ");
  const streamEnd = line.indexOf(" ", timeEnd + 1);
  if (timeEnd <= 0 || streamEnd < 0) return undefined;
  const stream = line.slice(timeEnd + 1, streamEnd);
  if (stream !== "stdout" && stream !== "stderr") return undefined;
  const tagsEnd = line.indexOf(" ", streamEnd + 1);
  const tags = tagsEnd < 0 ? line.slice(streamEnd + 1) : line.slice(streamEnd + 1, tagsEnd);
  const partial = tags.split(":")[0] === "P";
  return { time: line.slice(0, timeEnd), stream, partial, text: tagsEnd < 0 ? "" : line.slice(tagsEnd + 1) };
}
