/**
 * The names of streams, and the subjects that carry them: `keelson.<cluster>.<epoch>.` and then
 * `all.<group>.<resource>.<namespace>.<name>`, `node.<node>.<group>.<resource>.<namespace>.<name>`, or `heads`.
 */

export interface StreamIdentity {
  /** Empty for the core group. */
  readonly group: string;
  /** Plural, lower case. */
  readonly resource: string;
  /** Only what belongs to this node; absent: every object of the resource. */
  readonly node?: string;
}

/** `pods`, `apps/deployments`, `pods@node-1`: how envelopes name a stream. */
export function streamName(stream: StreamIdentity): string {
  const resource = stream.group === "" ? stream.resource : `${stream.group}/${stream.resource}`;
  return stream.node === undefined ? resource : `${resource}@${stream.node}`;
}

/** The subjects of one history of one cluster. */
export class Subjects {
  readonly #root: string;

  constructor(cluster: string, epoch: string) {
    this.#root = `keelson.${encodeToken(cluster)}.${encodeToken(epoch)}`;
  }

  /** Where one object's changes go. */
  object(stream: StreamIdentity, namespace: string, name: string): string {
    return `${this.#stream(stream)}.${encodeToken(namespace)}.${encodeToken(name)}`;
  }

  /** Everything of one stream: what a follower subscribes to. */
  stream(stream: StreamIdentity): string {
    return `${this.#stream(stream)}.>`;
  }

  /** One namespace of one stream; gaplessness cannot be proven on it, so its messages are no more than a nudge. */
  namespace(stream: StreamIdentity, namespace: string): string {
    return `${this.#stream(stream)}.${encodeToken(namespace)}.*`;
  }

  /** All that a node may hear of objects. */
  node(node: string): string {
    return `${this.#root}.node.${encodeToken(node)}.>`;
  }

  /** All that is said of this history. */
  history(): string {
    return `${this.#root}.>`;
  }

  /** Where the head revisions are told, each second. */
  heads(): string {
    return `${this.#root}.heads`;
  }

  #stream(stream: StreamIdentity): string {
    const of = stream.node === undefined ? "all" : `node.${encodeToken(stream.node)}`;
    return `${this.#root}.${of}.${encodeToken(stream.group)}.${encodeToken(stream.resource)}`;
  }
}

/** What a publisher of the cluster says, of any history, and the heads of others that it hears. */
export function publisherPatterns(cluster: string): { readonly says: string; readonly hears: string } {
  const root = `keelson.${encodeToken(cluster)}`;
  return { says: `${root}.>`, hears: `${root}.*.heads` };
}

/**
 * One token of a subject. Letters, digits and `-` stay; every other byte of the UTF-8 form becomes `_` and two hex digits
 * (dots part tokens, and names may hold them); an empty text is a single `_`.
 */
export function encodeToken(text: string): string {
  if (text === "") return "_";
  if (/^[A-Za-z0-9-]+$/.test(text)) return text;
  return Array.from(new TextEncoder().encode(text), (byte) => {
    const character = String.fromCharCode(byte);
    return /[A-Za-z0-9-]/.test(character) ? character : `_${byte.toString(16).padStart(2, "0")}`;
  }).join("");
}

/** Whether a subject is of a pattern; the rule of NATS. */
export function subjectMatches(pattern: string, subject: string): boolean {
  const wanted = pattern.split(".");
  const tokens = subject.split(".");
  for (const [index, token] of wanted.entries()) {
    if (token === ">") return index === wanted.length - 1 && tokens.length > index;
    if (index >= tokens.length || (token !== "*" && token !== tokens[index])) return false;
  }
  return wanted.length === tokens.length;
}
