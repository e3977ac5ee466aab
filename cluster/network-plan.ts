import { type Cidr, cidrSize, cidrsOverlap, formatCidr, formatIpv4, parseCidr } from "../lib/core/cidr.ts";

/**
 * Everything that is known about the network of one local node, before it exists: names and ranges. It is plain JSON:
 * whoever makes the network stores it first, so that it can be taken away whatever happened in between.
 */
export interface NetworkPlan {
  readonly version: 1;
  /** Of the cluster; part of every name that is put into the kernel. */
  readonly id: string;
  /** Network namespace of the node, as `ip netns` lists it. */
  readonly namespace: string;
  /** The machine's end of the pair that joins the two. */
  readonly machineInterface: string;
  /** nftables table (family ip) on the machine, and tag of rules in other firewalls. */
  readonly table: string;
  readonly machineAddress: string;
  /** The node's own address (InternalIP), on its `eth0`. */
  readonly nodeAddress: string;
  readonly linkPrefixLength: number;
  /** All that this cluster uses; the machine routes it to the node. */
  readonly clusterCidr: string;
  readonly podCidr: string;
  /** This node's part of `podCidr`. */
  readonly nodePodCidr: string;
  readonly serviceCidr: string;
}

/** Where blocks are taken from, in this order. Ends of ranges that people and Docker use least come first. */
const POOLS = ["10.64.0.0/10", "172.24.0.0/13", "192.168.128.0/17"];
const BLOCK_PREFIX_LENGTH = 20;

/** Layout of a block, as offsets in addresses: pods /21 (a /24 per node), services /22, links in the last /24. */
const POD_PREFIX_LENGTH = 21;
const NODE_POD_PREFIX_LENGTH = 24;
const SERVICE_OFFSET = 2048;
const SERVICE_PREFIX_LENGTH = 22;
const LINK_OFFSET = 3840;
const LINK_PREFIX_LENGTH = 30;

/** Interface names have 15 characters, of which `keel-` takes five. */
const ID_FORM = /^[a-z0-9]{1,10}$/;

/**
 * Chooses names and free ranges. `used` are ranges that the machine has addresses in or routes to. Where the search
 * starts depends on `id`, so that clusters made at one moment rarely want the same block.
 */
export function planNetwork(id: string, used: readonly Cidr[]): NetworkPlan {
  if (!ID_FORM.test(id)) throw new Error(`a cluster's id has 1 to 10 letters and digits, not ${JSON.stringify(id)}`);
  for (const pool of POOLS) {
    const { base, prefixLength } = mustParse(pool);
    const count = 2 ** (BLOCK_PREFIX_LENGTH - prefixLength);
    const first = hash(id) % count;
    for (let i = 0; i < count; i++) {
      const number = (first + i) % count;
      const block: Cidr = { base: base + number * 2 ** (32 - BLOCK_PREFIX_LENGTH), prefixLength: BLOCK_PREFIX_LENGTH };
      if (!used.some((range) => cidrsOverlap(range, block))) return planOf(id, block);
    }
  }
  throw new Error(`no free range of /${BLOCK_PREFIX_LENGTH} in ${POOLS.join(", ")}`);
}

function planOf(id: string, block: Cidr): NetworkPlan {
  const part = (offset: number, prefixLength: number): string =>
    formatCidr({ base: block.base + offset, prefixLength });
  return {
    version: 1,
    id,
    namespace: `keelson-${id}`,
    machineInterface: `keel-${id}`,
    table: `keelson-${id}`,
    machineAddress: formatIpv4(block.base + LINK_OFFSET + 1),
    nodeAddress: formatIpv4(block.base + LINK_OFFSET + 2),
    linkPrefixLength: LINK_PREFIX_LENGTH,
    clusterCidr: formatCidr(block),
    podCidr: part(0, POD_PREFIX_LENGTH),
    nodePodCidr: part(0, NODE_POD_PREFIX_LENGTH),
    serviceCidr: part(SERVICE_OFFSET, SERVICE_PREFIX_LENGTH),
  };
}

/** Address number `index` of a range: 1 is the API's service address, 10 that of DNS, by custom. */
export function addressAt(cidr: string, index: number): string {
  const range = mustParse(cidr);
  if (index < 0 || index >= cidrSize(range)) throw new Error(`${cidr} has no address number ${index}`);
  return formatIpv4(range.base + index);
}

function mustParse(text: string): Cidr {
  const cidr = parseCidr(text);
  if (cidr === undefined) throw new Error(`not a range of IPv4 addresses: ${text}`);
  return cidr;
}

/** FNV-1a: spreads, needs no secret. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193) >>> 0;
  return value;
}
