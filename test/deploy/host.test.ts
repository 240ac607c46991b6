import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { codeBlocks } from '../support/pages.js'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const PROGRAM = join(ROOT, 'dist/cli/main.js')

/** Lays what is written to the system's folders aside, for this shell and what it starts. */
const ASIDE = `set -e
mount -t tmpfs -o mode=755 aside "$ASIDE"
for folder in etc var root usr; do
  mkdir -p "$ASIDE/$folder/upper" "$ASIDE/$folder/work"
  mount -t overlay -o "lowerdir=/$folder,upperdir=$ASIDE/$folder/upper,workdir=$ASIDE/$folder/work" overlay "/$folder"
done
`

/** What a host with systemd and npm has, and a test can't start or reach. Each is called as \`$0 ARGUMENTS\`. */
const PROGRAMS: Record<string, string> = {
  'request-journal': `exec "${process.execPath}" "${PROGRAM}" "$@"`,
  systemctl: `for unit in "$@"; do
  case "$unit" in
    request-journal-*.*) test -e "/etc/systemd/system/$unit" ;;
    request-journal-*) test -e "/etc/systemd/system/$unit.service" ;;
  esac
done
echo "systemctl $*"`,
  npm: `case "$*" in
  'root --global') echo "$GLOBAL" ;;
  'pack --silent '*) echo x >request-journal.tgz; echo request-journal.tgz ;;
  *./*) test -e ./request-journal.tgz ;;
esac`,
  // Without a prefix it would also make the folders of other packages.
  'systemd-tmpfiles':
    'exec /usr/bin/systemd-tmpfiles "$@" --prefix=/var/lib/llm --prefix=/var/backups/request-journal',
}

/** The lines of a unit that say what it runs, as its user runs them. */
function nightly(): string {
  const daily = 'request-journal-daily.service'
  const text = [daily, `${daily}.d/backup.conf`]
    .map((name) => readFileSync(join(ROOT, 'deploy/systemd', name), 'utf8'))
    .join('')
  const commands = [...text.matchAll(/^ExecStart=(.*)$/gm)].map(([, command]) => command)
  expect(commands).toHaveLength(3)
  return commands.map((command) => `runuser -u request-journal -- ${command}\n`).join('')
}

const shell = (page: string, heading: string) =>
  codeBlocks(page, heading).flatMap(({ language, text }) => (language === 'sh' ? [text] : []))

/** Runs a script as root of a host of its own. */
function onHost(script: string) {
  const folder = mkdtempSync(join(tmpdir(), 'request-journal-host-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  // Other users go through it.
  chmodSync(folder, 0o755)
  const [programs, global, aside] = ['bin', 'global', 'aside'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ]
  for (const made of [programs, global, aside]) mkdirSync(made)
  for (const [name, text] of Object.entries(PROGRAMS)) {
    writeFileSync(join(programs, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 })
  }
  const env = { PATH: `${programs}:${process.env['PATH']}`, GLOBAL: global, ASIDE: aside, COLUMNS: '' }
  const link = `ln -s "${ROOT}" "$GLOBAL/request-journal"\n`
  return spawnSync('unshare', ['--mount', 'sh', '-c', `${ASIDE}${link}${script}`], { env, encoding: 'utf8' })
}

const JOURNAL = '/var/lib/llm/journal'
const DATABASE = '/var/lib/request-journal/requests.db'
const append = (model: string) =>
  `echo '{"model":"${model}","latency_ms":1,"success":true}' | runuser -u gateway -- request-journal append --journal ${JOURNAL}\n`
const project = `runuser -u request-journal -- request-journal project --once --journal ${JOURNAL} --db ${DATABASE}\n`

/** rsync itself where it is installed, or what its options here come to. */
const RSYNC = existsSync('/usr/bin/rsync')
  ? ''
  : `cat >/usr/bin/rsync <<'END'
#!/bin/sh
for last in "$@"; do from=$to; to=$last; done
mkdir -p "$to" && cp -r "$from." "$to" && chmod -R u=rwX,go= "$to"
END
chmod 755 /usr/bin/rsync
`

const isHost =
  process.getuid?.() === 0 &&
  ['systemd-sysusers', 'systemd-tmpfiles', 'runuser'].every(
    (name) => spawnSync(name, ['--version']).status === 0,
  ) &&
  spawnSync('setpriv', ['--reuid=65534', process.execPath, '-e', `fs.readFileSync('${PROGRAM}')`]).status ===
    0 &&
  onProbe().status === 0

function onProbe() {
  const aside = mkdtempSync(join(tmpdir(), 'request-journal-probe-'))
  try {
    return spawnSync('unshare', ['--mount', 'sh', '-c', ASIDE], { env: { ...process.env, ASIDE: aside } })
  } finally {
    rmSync(aside, { recursive: true })
  }
}

test.skipIf(!isHost)(
  'the commands of docs/deploy.md and docs/operations.md install, back up, restore, upgrade and prune a host (needs root)',
  () => {
    const installed = shell('docs/deploy.md', 'systemd')
    const restore = shell('docs/operations.md', 'Backup and restore').filter((text) =>
      text.includes('systemctl'),
    )
    const upgrade = shell('docs/deploy.md', 'Upgrades and downgrades')
    const prune = shell('docs/deploy.md', "logrotate isn't needed")
    expect([installed, restore, upgrade, prune].map(({ length }) => length)).toEqual([3, 1, 3, 1])
    const { stdout, stderr, status } = onHost(
      [
        RSYNC,
        ...installed,
        // systemd makes the folder of StateDirectory.
        'install -d -m 700 -o request-journal -g llm /var/lib/request-journal\n',
        append('kept'),
        project,
        nightly(),
        append('later'),
        project,
        ...restore,
        append('after the restore'),
        project,
        ...upgrade,
        // The downgrade has put the database aside.
        `test ! -e ${DATABASE}\n`,
        project,
        ...prune,
        `request-journal stats --db ${DATABASE} --group-by model --json`,
      ].join(''),
    )
    expect(status, `${stdout}${stderr}`).toBe(0)
    const lines = stdout.trim().split('\n')
    const models = Object.keys(JSON.parse(lines.at(-1) ?? '').models)
    expect(models.toSorted()).toEqual(['after the restore', 'kept'])
    const calls = lines.filter((line) => line.startsWith('systemctl '))
    expect(calls[1]).toBe(
      'systemctl enable --now request-journal-project request-journal-serve request-journal-daily.timer',
    )
    expect(calls.at(-1)).toBe('systemctl start request-journal-project')
  },
  30_000,
)
