import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Two file systems of their own that give the same inode numbers, as two disks do. */
export interface Volumes {
  directory: string
  /** Mounts a volume on the directory, over whatever is there. */
  mount(volume: 'a' | 'b'): void
  /** Takes away what was mounted last. */
  unmount(): void
  /** Takes away all of it. */
  unmountAll(): void
}

export function makeVolumes(parent: string): Volumes {
  const directory = join(parent, 'volume')
  mkdirSync(directory)
  let mounted = 0
  for (const name of ['a', 'b']) {
    const image = join(parent, `${name}.img`)
    writeFileSync(image, '')
    execFileSync('truncate', ['-s', '8M', image])
    execFileSync('mkfs.ext4', ['-q', '-F', image])
  }
  const unmount = () => {
    execFileSync('umount', ['-l', directory])
    mounted--
  }
  return {
    directory,
    mount: (volume) => {
      execFileSync('mount', ['-o', 'loop', join(parent, `${volume}.img`), directory])
      mounted++
    },
    unmount,
    unmountAll: () => {
      while (mounted > 0) unmount()
    },
  }
}

const PROBE = `set -e
  d=$(mktemp -d)
  trap 'umount "$d/m" 2>/dev/null || true; rm -rf "$d"' EXIT
  mkdir "$d/m"; truncate -s 8M "$d/i"; mkfs.ext4 -q -F "$d/i"; mount -o loop "$d/i" "$d/m"`

/** Loop mounts need root, mkfs.ext4 and loop devices, which containers often lack. */
export const canMountVolumes = spawnSync('sh', ['-c', PROBE]).status === 0
