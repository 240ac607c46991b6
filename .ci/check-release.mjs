// node .ci/check-release.mjs v1.2.3
// Says what keeps the checkout in the working directory from being released as this tag; exits with 1 if anything does.
import { readFileSync } from 'node:fs'

const [tag = ''] = process.argv.slice(2)
const { version, repository } = JSON.parse(readFileSync('package.json', 'utf8'))
const changelog = readFileSync('CHANGELOG.md', 'utf8')
const problems = []

if (tag !== `v${version}`) {
  problems.push(
    `the tag is '${tag}', and package.json has version ${version}: expected the tag 'v${version}'`,
  )
}
const [first, second] = [...changelog.matchAll(/^## (.*)$/gm)].map(([, heading]) => heading)
if (first !== '[Unreleased]') {
  problems.push(`CHANGELOG.md begins with '${first}': expected '[Unreleased]', for what comes next`)
}
const expected = `[${version}] - `
if (!second?.startsWith(expected) || !/^\d{4}-\d\d-\d\d$/.test(second.slice(expected.length))) {
  problems.push(`CHANGELOG.md goes on with '${second}': expected '${expected}' and the day, as 2026-11-22`)
}
// npm refuses a provenance that names another repository, but only after everything else was done.
const { GITHUB_REPOSITORY: home } = process.env
if (home !== undefined && repository.url !== `git+https://github.com/${home}.git`) {
  problems.push(
    `package.json names the repository ${repository.url}: expected git+https://github.com/${home}.git`,
  )
}

for (const problem of problems) process.stderr.write(`error: ${problem}\n`)
process.exitCode = problems.length > 0 ? 1 : 0
