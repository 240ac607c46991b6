/**
 * Says which parts of a JSON value are wanted, for `JsonScanner`: the scalar itself (`true`),
 * members of an object by name, or the elements of an array. A scalar in the place of a wanted
 * object or array is kept too, since an API may send null or a text there. Everything else is
 * skipped.
 */
export type Wanted = true | { readonly [member: string]: Wanted } | readonly [Wanted]

/** What the scanner found: only members that are wanted, and of those only the ones that exist. */
export type Scanned = string | number | boolean | null | Scanned[] | ScannedObject
export type ScannedObject = { [member: string]: Scanned }

/** A `Wanted` in the form that the scanner uses. */
export interface WantedNode {
  /** The members by the length of their names, so that names are found without decoding them. */
  members: readonly (readonly WantedMember[] | undefined)[] | null
  elements: WantedNode | null
}

export interface WantedMember {
  name: string
  bytes: Buffer
  node: WantedNode
}

export function wantedNode(wanted: Wanted): WantedNode {
  if (wanted === true) return { members: null, elements: null }
  if (isElements(wanted)) return { members: null, elements: wantedNode(wanted[0]) }
  const members: WantedMember[][] = []
  for (const [name, member] of Object.entries(wanted)) {
    const bytes = Buffer.from(name)
    members[bytes.length] ??= []
    members[bytes.length]?.push({ name, bytes, node: wantedNode(member) })
  }
  return { members, elements: null }
}

/** Finds the member whose name is the bytes from `from` to before `to`. */
export function memberNamed(
  node: WantedNode | undefined,
  bytes: Buffer,
  from: number,
  to: number,
): WantedMember | null {
  for (const member of node?.members?.[to - from] ?? NO_MEMBERS) {
    let at = 0
    while (at < member.bytes.length && member.bytes[at] === bytes[from + at]) at += 1
    if (at === member.bytes.length) return member
  }
  return null
}

const NO_MEMBERS: readonly WantedMember[] = []

function isElements(wanted: object): wanted is readonly [Wanted] {
  return Array.isArray(wanted)
}
