import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'

const css = readFileSync(new URL('../../src/server/dashboard/styles/theme.css', import.meta.url), 'utf8')
const colours = new Map(
  [...css.matchAll(/--([a-z0-9-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)/g)].map(
    ([, name = '', light = '', dark = '']) => [name, { light, dark }],
  ),
)

/** Relative luminance, WCAG 2.2. */
function luminance(hex: string): number {
  const [r = 0, g = 0, b = 0] = [1, 3, 5].map((at) => {
    const value = Number.parseInt(hex.slice(at, at + 2), 16) / 255
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4
  })
  return 0.2126 * r + 0.7152 * g + 0.0722 * b
}

function contrast(one: string, other: string, theme: 'light' | 'dark'): number {
  const [a, b] = [one, other].map((name) => {
    const colour = colours.get(name)
    if (colour === undefined) throw new Error(`theme.css has no --${name}`)
    return luminance(colour[theme])
  }) as [number, number]
  return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)
}

const TEXT = 4.5
const SHAPE = 3

describe.each(['light', 'dark'] as const)('contrast in the %s theme (WCAG AA)', (theme) => {
  test.each([
    ['text', ['ground', 'card', 'raised', 'accent-soft', 'bad-soft', 'warn-soft', 'fresh', 'chosen'], TEXT],
    ['muted', ['ground', 'card', 'raised', 'accent-soft', 'fresh'], TEXT],
    ['accent', ['ground', 'card', 'raised', 'accent-soft'], TEXT],
    ['on-accent', ['accent'], TEXT],
    ['bad', ['card', 'bad-soft'], TEXT],
    ['good', ['card', 'raised'], TEXT],
    ['warn', ['warn-soft', 'raised'], TEXT],
    ['control-line', ['card', 'ground'], SHAPE],
    ...[1, 2, 3, 4, 5, 6, 7, 8, 'other', 'failed'].map(
      (name) => [`series-${name}`, ['card'], SHAPE] as const,
    ),
  ] as const)('%s', (colour, grounds, least) => {
    for (const ground of grounds) {
      expect(contrast(colour, ground, theme), `${colour} on ${ground}`).toBeGreaterThanOrEqual(least)
    }
  })
})
