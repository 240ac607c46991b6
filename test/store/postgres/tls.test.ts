import { execFileSync, spawnSync } from 'node:child_process'
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { postgresAddress } from '../../../src/store/postgres/connection/address.js'
import { Connection } from '../../../src/store/postgres/connection/connection.js'
import { tlsWays } from '../../../src/store/postgres/connection/tls.js'
import { ask } from '../../support/fleet-checker.js'
import { noPostgres, PostgresServer } from '../../support/postgres.js'

const noTls =
  noPostgres ?? (spawnSync('openssl', ['version']).status === 0 ? null : 'openssl isn’t installed')

describe.skipIf(noTls !== null)(
  `TLS to PostgreSQL, as libpq has it${noTls === null ? '' : ` (${noTls})`}`,
  () => {
    let server: PostgresServer
    /** Has the certificates of the authority, of the server, of a client, and of an authority that signed nothing. */
    let directory: string
    /** By a host name, which is in the server's certificate, and by one that isn't. */
    let [named, other] = ['', '']

    beforeAll(async () => {
      if (noTls !== null) return
      directory = mkdtempSync(join(tmpdir(), 'request-journal-tls-'))
      for (const name of ['ca', 'stranger']) makeAuthority(directory, name)
      makeCertificate(directory, 'server', 'localhost')
      makeCertificate(directory, 'client', 'certified')
      server = await PostgresServer.start({ fsync: 'off' })
      const address = server.address()
      named = address.replace('127.0.0.1', 'localhost')
      other = address
      await ask(
        address,
        `CREATE ROLE tls_only SUPERUSER LOGIN; CREATE ROLE plain_only SUPERUSER LOGIN; CREATE ROLE certified SUPERUSER LOGIN;
       CREATE ROLE "with password" SUPERUSER LOGIN PASSWORD 'se:cr\\et'`,
      )
      server.useTls(directory, [
        ['hostssl', 'plain_only', 'reject'],
        ['hostnossl', 'tls_only', 'reject'],
        ['hostssl', 'certified', 'cert'],
        ['host', '"with password"', 'scram-sha-256'],
      ])
      while (!(await isEncrypted(`${other}?sslmode=prefer`))) await ask(address, 'SELECT pg_reload_conf()')
    }, 60_000)

    afterAll(() => {
      server?.remove()
      if (directory !== undefined) rmSync(directory, { recursive: true, force: true })
    })

    /** Whether a connection has TLS. */
    async function isEncrypted(address: string): Promise<boolean> {
      const connection = await Connection.open({
        address: postgresAddress(address),
        schema: 'public',
        purpose: 'test',
      })
      try {
        const row = await connection.one<{ ssl: boolean }>(
          'SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()',
        )
        return row?.ssl === true
      } finally {
        await connection.close()
      }
    }

    const as = (user: string, address = other) => address.replace('tester@', `${encodeURIComponent(user)}@`)
    const authority = (name = 'ca') => `&sslrootcert=${join(directory, `${name}.crt`)}`

    test('without a word it is used if the server has it, but nobody is verified', async () => {
      expect(await isEncrypted(other)).toBe(true)
      expect(await isEncrypted(`${other}?sslmode=disable`)).toBe(false)
      expect(await isEncrypted(`${other}?sslmode=allow`)).toBe(false)
      expect(await isEncrypted(`${other}?sslmode=require`)).toBe(true)
    })

    test('prefer and allow try the other way where the server takes only that', async () => {
      expect(await isEncrypted(as('plain_only'))).toBe(false)
      expect(await isEncrypted(`${as('tls_only')}?sslmode=allow`)).toBe(true)
      await expect(isEncrypted(`${as('plain_only')}?sslmode=require`)).rejects.toMatchObject({
        code: 'LOGIN_REFUSED',
      })
      await expect(isEncrypted(`${as('tls_only')}?sslmode=disable`)).rejects.toMatchObject({
        code: 'LOGIN_REFUSED',
      })
    })

    test('a certificate is verified by the authority that is named, and by the host with verify-full', async () => {
      expect(await isEncrypted(`${other}?sslmode=verify-ca${authority()}`)).toBe(true)
      expect(await isEncrypted(`${named}?sslmode=verify-full${authority()}`)).toBe(true)
      expect(await isEncrypted(`${other}?sslmode=require${authority()}`)).toBe(true)
      for (const refused of [
        `${other}?sslmode=verify-full${authority()}`,
        `${other}?sslmode=verify-ca${authority('stranger')}`,
        `${other}?sslmode=require${authority('stranger')}`,
        `${named}?sslmode=verify-full&sslrootcert=system`,
      ]) {
        await expect(isEncrypted(refused), refused).rejects.toMatchObject({ code: 'TLS_REFUSED' })
      }
    })

    test('mode, authority and the client’s own certificate may stand in the environment', async () => {
      vi.stubEnv('PGSSLMODE', 'disable')
      expect(await isEncrypted(other)).toBe(false)
      vi.stubEnv('PGSSLMODE', 'verify-full')
      vi.stubEnv('PGSSLROOTCERT', join(directory, 'ca.crt'))
      expect(await isEncrypted(named)).toBe(true)
      await expect(isEncrypted(other)).rejects.toMatchObject({ code: 'TLS_REFUSED' })
      expect(await isEncrypted(`${other}?sslmode=verify-ca`)).toBe(true)
      await expect(isEncrypted(as('certified', named))).rejects.toMatchObject({ code: 'LOGIN_REFUSED' })
      vi.stubEnv('PGSSLCERT', join(directory, 'client.crt'))
      vi.stubEnv('PGSSLKEY', join(directory, 'client.key'))
      expect(await isEncrypted(as('certified', named))).toBe(true)
    })

    test('files of libpq’s own folder are used if nothing else is named', () => {
      const home = join(directory, 'home')
      mkdirSync(join(home, '.postgresql'), { recursive: true })
      const address = postgresAddress(`${named}?sslmode=verify-full`)
      expect(() => tlsWays(address, {}, home)).toThrow(/needs the certificate of an authority/)
      copyFileSync(join(directory, 'ca.crt'), join(home, '.postgresql', 'root.crt'))
      expect(tlsWays(address, {}, home)).toEqual([{ ca: readFileSync(join(directory, 'ca.crt')) }])
    })

    test('a mode that libpq doesn’t have, a file that is missing and an unknown parameter are refused by name', async () => {
      for (const [parameters, found] of [
        ['sslmode=no-verify', /sslmode is no-verify, expected one of disable, /],
        ['sslmode=verify-ca&sslrootcert=/missing.crt', /sslrootcert can't be read .*\/missing.crt/],
        ['sslmode=require&sslrootcert=system', /expected verify-full/],
        ['sslmod=verify-full', /the parameter sslmod isn't known: expected one of sslmode, /],
        ['sslmode=verify-full&ssl=no-verify', /the parameter ssl isn't known/],
      ] as const) {
        await expect(isEncrypted(`${other}?${parameters}`)).rejects.toMatchObject({
          code: 'ADDRESS_INVALID',
          message: expect.stringMatching(found),
        })
      }
    })

    test('the password comes from PGPASSWORD or the passfile, and no message has it', async () => {
      const address = as('with password')
      await expect(isEncrypted(address)).rejects.toMatchObject({
        code: 'LOGIN_REFUSED',
        message: expect.stringContaining('asks for a password'),
      })
      vi.stubEnv('PGPASSWORD', 'wr:ong')
      const refused = await isEncrypted(address).catch((error) => error)
      expect(refused).toMatchObject({ code: 'LOGIN_REFUSED' })
      expect(refused.message).not.toContain('wr:ong')
      vi.stubEnv('PGPASSWORD', 'se:cr\\et')
      expect(await isEncrypted(address)).toBe(true)
      vi.unstubAllEnvs()
      const passfile = join(directory, 'pgpass')
      writeFileSync(passfile, '# ours\n127.0.0.1:*:*:with password:se\\:cr\\\\et\n', { mode: 0o600 })
      vi.stubEnv('PGPASSFILE', passfile)
      // Node-postgres warns if it has to read the file itself.
      const warn = vi.spyOn(process, 'emitWarning')
      expect(await isEncrypted(address)).toBe(true)
      expect(warn).not.toHaveBeenCalled()
      warn.mockRestore()
      chmodSync(passfile, 0o644)
      await expect(isEncrypted(address)).rejects.toMatchObject({ code: 'LOGIN_REFUSED' })
    })
  },
)

function makeAuthority(directory: string, name: string): void {
  openssl(directory, [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'],
    ...['-subj', `/CN=${name}`, '-keyout', `${name}.key`, '-out', `${name}.crt`],
  ])
}

function makeCertificate(directory: string, name: string, commonName: string): void {
  openssl(directory, [
    ...[
      'req',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-subj',
      `/CN=${commonName}`,
    ],
    ...['-addext', `subjectAltName=DNS:${commonName}`, '-keyout', `${name}.key`, '-out', `${name}.csr`],
  ])
  openssl(directory, [
    ...['x509', '-req', '-in', `${name}.csr`, '-CA', 'ca.crt', '-CAkey', 'ca.key', '-CAcreateserial'],
    ...['-copy_extensions', 'copy', '-days', '2', '-out', `${name}.crt`],
  ])
}

function openssl(directory: string, args: readonly string[]): void {
  execFileSync('openssl', args, { cwd: directory, stdio: 'pipe' })
}
