/** One member of a tar file. */
export interface TarEntry {
  readonly path: string;
  readonly type: "file" | "directory" | "symlink" | "hardlink";
  /** Where its content starts, and how long it is. */
  readonly offset: number;
  readonly sizeBytes: number;
  /** Of links. */
  readonly target: string;
}

/** What can be read at any place: a file, or bytes in memory. */
export interface ByteSource {
  readonly sizeBytes: number;
  read(offset: number, lengthBytes: number): Promise<Uint8Array>;
}

/** A member to be written. */
export interface TarMember {
  readonly path: string;
  readonly mode: number;
  readonly content?: Uint8Array;
  /** Makes it a symbolic link. */
  readonly linkTo?: string;
}

const BLOCK_BYTES = 512;
/** A header that says more than this about a name is no image's. */
const EXTENSION_BYTES_MAX = 1_048_576;
const TYPES: Readonly<Record<string, TarEntry["type"]>> = {
  "0": "file",
  "\0": "file",
  "1": "hardlink",
  "2": "symlink",
  "5": "directory",
};

export function memorySource(bytes: Uint8Array): ByteSource {
  return {
    sizeBytes: bytes.length,
    read: (offset, lengthBytes) => Promise.resolve(bytes.subarray(offset, offset + lengthBytes)),
  };
}

/** What an extension header says about the member after it. */
interface Extension {
  readonly path?: string;
  readonly target?: string;
  readonly sizeBytes?: number;
}

/** The members of a tar file (ustar, GNU long names, pax paths and sizes) by path, without reading their content. */
export async function readTarIndex(source: ByteSource): Promise<Map<string, TarEntry>> {
  const entries = new Map<string, TarEntry>();
  let pending: Extension = {};
  for (let offset = 0; offset + BLOCK_BYTES <= source.sizeBytes; ) {
    const header = await source.read(offset, BLOCK_BYTES);
    if (header.every((byte) => byte === 0)) break;
    checkHeader(header, offset);
    const contentOffset = offset + BLOCK_BYTES;
    const sizeBytes = pending.sizeBytes ?? numberField(header, 124, 12);
    if (contentOffset + sizeBytes > source.sizeBytes) throw new Error("the tar file is cut off");
    offset = contentOffset + Math.ceil(sizeBytes / BLOCK_BYTES) * BLOCK_BYTES;
    const extension = await readExtension(source, header, contentOffset, sizeBytes);
    if (extension !== undefined) {
      pending = { ...pending, ...extension };
      continue;
    }
    const type = TYPES[typeFlag(header)];
    const path = cleanPath(pending.path ?? nameField(header));
    const target = pending.target ?? textField(header, 157, 100);
    pending = {};
    if (type !== undefined && path !== "") entries.set(path, { path, type, offset: contentOffset, sizeBytes, target });
  }
  return entries;
}

/** Undefined for an ordinary member. */
async function readExtension(
  source: ByteSource,
  header: Uint8Array,
  offset: number,
  sizeBytes: number,
): Promise<Extension | undefined> {
  const flag = typeFlag(header);
  if (flag !== "L" && flag !== "K" && flag !== "x") return undefined;
  if (sizeBytes > EXTENSION_BYTES_MAX) throw new Error("the tar file has a header of more than a mebibyte");
  const content = new TextDecoder().decode(await source.read(offset, sizeBytes));
  if (flag === "x") return paxFields(content);
  const name = content.replace(/\0+$/, "");
  return flag === "L" ? { path: name } : { target: name };
}

/** Without "./" and final "/": the forms that different tools write of one name. */
export function cleanPath(path: string): string {
  return path
    .split("/")
    .filter((part) => part !== "" && part !== ".")
    .join("/");
}

function checkHeader(header: Uint8Array, offset: number): void {
  const isGzip = offset === 0 && header[0] === 0x1f && header[1] === 0x8b;
  if (isGzip) throw new Error("the archive is compressed: gunzip it first");
  let sum = 0;
  for (const [i, byte] of header.entries()) sum += i >= 148 && i < 156 ? 0x20 : byte;
  if (sum !== numberField(header, 148, 8)) throw new Error(offset === 0 ? "not a tar file" : "the tar file is damaged");
}

function typeFlag(header: Uint8Array): string {
  return String.fromCharCode(header[156] ?? 0);
}

function textField(header: Uint8Array, start: number, length: number): string {
  const bytes = header.subarray(start, start + length);
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
}

function nameField(header: Uint8Array): string {
  const isUstar = textField(header, 257, 5) === "ustar";
  const prefix = isUstar ? textField(header, 345, 155) : "";
  const name = textField(header, 0, 100);
  return prefix === "" ? name : `${prefix}/${name}`;
}

/** Octal text, or by GNU's extension a big-endian number after a byte of 0x80. */
function numberField(header: Uint8Array, start: number, length: number): number {
  if (((header[start] ?? 0) & 0x80) !== 0) {
    return header.subarray(start + 1, start + length).reduce((value, byte) => value * 256 + byte, 0);
  }
  const text = textField(header, start, length).trim();
  return text === "" ? 0 : Number.parseInt(text, 8);
}

function paxFields(content: string): Extension {
  const fields: { path?: string; target?: string; sizeBytes?: number } = {};
  for (const line of content.split("\n")) {
    const [, key, value] = /^\d+ ([^=]+)=(.*)$/s.exec(line) ?? [];
    if (key === "path" && value !== undefined) fields.path = value;
    if (key === "linkpath" && value !== undefined) fields.target = value;
    if (key === "size" && value !== undefined) fields.sizeBytes = Number(value);
  }
  return fields;
}

/** A tar file whose bytes depend on nothing but the members: owner root, time zero, in the given order. */
export function writeTar(members: readonly TarMember[]): Uint8Array {
  const blocks: Uint8Array[] = [];
  for (const member of members) {
    const content = member.content ?? new Uint8Array();
    blocks.push(headerOf(member, content.length), content, new Uint8Array(-content.length & (BLOCK_BYTES - 1)));
  }
  blocks.push(new Uint8Array(2 * BLOCK_BYTES));
  return Buffer.concat(blocks);
}

function headerOf(member: TarMember, sizeBytes: number): Uint8Array {
  const header = Buffer.alloc(BLOCK_BYTES);
  const octal = (value: number, width: number): string => `${value.toString(8).padStart(width - 1, "0")}\0`;
  const isDirectory = member.path.endsWith("/");
  if (Buffer.byteLength(member.path) > 100) throw new Error(`too long a name for this tar: ${member.path}`);
  header.write(member.path, 0);
  header.write(octal(member.mode, 8), 100);
  header.write(octal(0, 8), 108);
  header.write(octal(0, 8), 116);
  header.write(octal(sizeBytes, 12), 124);
  header.write(octal(0, 12), 136);
  header.write("        ", 148);
  header.write(member.linkTo !== undefined ? "2" : isDirectory ? "5" : "0", 156);
  header.write(member.linkTo ?? "", 157);
  header.write("ustar\0" + "00", 257, "latin1");
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return header;
}
