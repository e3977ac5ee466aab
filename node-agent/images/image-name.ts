const DEFAULT_DOMAIN = "docker.io";
const TAG_FORM = /^[\w][\w.-]{0,127}$/;
const PATH_FORM = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;
const DOMAIN_FORM =
  /^(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*(?::\d+)?$/;
const DIGEST_FORM = /^sha256:[a-f0-9]{64}$/;

/**
 * The full form of an image's name, under which runtimes store it: `nginx` is `docker.io/library/nginx:latest`. Rules of
 * distribution/reference. Undefined when it is no name.
 */
export function fullImageName(name: string): string | undefined {
  const [beforeDigest = "", digest, ...more] = name.split("@");
  if (more.length > 0 || (digest !== undefined && !DIGEST_FORM.test(digest))) return undefined;
  const colon = beforeDigest.lastIndexOf(":");
  const hasTag = colon > beforeDigest.lastIndexOf("/");
  const tag = hasTag ? beforeDigest.slice(colon + 1) : undefined;
  if (tag !== undefined && !TAG_FORM.test(tag)) return undefined;
  const [domain, path] = splitDomain(hasTag ? beforeDigest.slice(0, colon) : beforeDigest);
  if (!DOMAIN_FORM.test(domain) || !PATH_FORM.test(path) || `${domain}/${path}`.length > 255) return undefined;
  // With a digest the tag says nothing.
  return digest === undefined ? `${domain}/${path}:${tag ?? "latest"}` : `${domain}/${path}@${digest}`;
}

/** What comes before the first slash is a host only if it looks like one. */
function splitDomain(name: string): [domain: string, path: string] {
  const slash = name.indexOf("/");
  const first = name.slice(0, Math.max(slash, 0));
  const isHost = first === "localhost" || /[.:]/.test(first) || first !== first.toLowerCase();
  if (slash > 0 && isHost) return [first, name.slice(slash + 1)];
  return [DEFAULT_DOMAIN, slash < 0 ? `library/${name}` : name];
}
