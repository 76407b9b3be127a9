/** An earlier commit that can be run beside this one: its own sources and contracts, the packages of this one. */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { root } from '@flowforge/local/config'
import type { PlannedService } from '@flowforge/local/service-plan'

export class OlderBuild {
  readonly commit: string
  readonly #tree: string
  readonly #entries: string
  readonly #current = new Map<string, string>()

  /** Checks a commit out and makes it ready to run; `ref` is whatever git understands. */
  static async of(ref: string, folder: string): Promise<OlderBuild> {
    const tree = join(folder, 'older')
    git('worktree', 'add', '--quiet', '--detach', tree, ref)
    linkPackages(tree)
    execFileSync(
      process.execPath,
      ['--input-type=module', '--eval', "const { generate } = await import('./proto/generate.ts'); generate()"],
      { cwd: tree, stdio: 'pipe' },
    )
    return new OlderBuild(tree, join(folder, 'entries'), git('rev-parse', '--short', ref))
  }

  private constructor(tree: string, entries: string, commit: string) {
    this.#tree = tree
    this.#entries = entries
    this.commit = commit
    mkdirSync(entries)
  }

  /** A programme that runs the older service, until {@link upgrade} makes it run this build's at its next start. */
  entryOf({ name, entry }: PlannedService): string {
    this.#current.set(name, entry)
    this.#point(name, join(this.#tree, relative(root, entry)))
    return this.#file(name)
  }

  /** Lets the next start of a process be one of this build. */
  upgrade(name: string): void {
    this.#point(name, this.#current.get(name)!)
  }

  remove(): void {
    git('worktree', 'remove', '--force', this.#tree)
  }

  #point(name: string, entry: string): void {
    writeFileSync(this.#file(name), `await import(${JSON.stringify(entry)})\n`)
  }

  #file(name: string): string {
    return join(this.#entries, `${name}.mjs`)
  }
}

/** Every package is this build's, but for our own, which are the older ones. */
function linkPackages(tree: string): void {
  link(root, tree)
  const workspaces = readdirSync(join(root, 'node_modules/@flowforge'))
  for (const folder of [
    'gateway',
    'proto',
    'sdk/typescript',
    ...readdirSync(join(root, 'services')).map((name) => `services/${name}`),
  ])
    if (existsSync(join(root, folder, 'node_modules')) && existsSync(join(tree, folder)))
      symlinkSync(join(root, folder, 'node_modules'), join(tree, folder, 'node_modules'))

  function link(from: string, to: string): void {
    const modules = join(to, 'node_modules')
    mkdirSync(modules)
    for (const name of readdirSync(join(from, 'node_modules')))
      if (name !== '@flowforge') symlinkSync(join(from, 'node_modules', name), join(modules, name))
  }
  mkdirSync(join(tree, 'node_modules/@flowforge'))
  for (const name of workspaces) {
    const target = placeOf(tree, name)
    if (target) symlinkSync(target, join(tree, 'node_modules/@flowforge', name))
  }
}

function placeOf(tree: string, name: string): string | undefined {
  const places = [name, `services/${name}`, `sdk/${name}`, ...(name === 'sdk' ? ['sdk/typescript'] : [])].map((place) =>
    join(tree, place),
  )
  return places.find((place) => existsSync(join(place, 'package.json')))
}

function git(...args: string[]): string {
  return execFileSync('git', args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim()
}
