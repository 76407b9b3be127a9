/** A producer or worker process of a contender, as the harness sees it: program/protocol.ts from the other side. */
import { spawn, type ChildProcess } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import type { Answer, Command, Produced, Runs } from './program/protocol.ts'

const answerWithinMs = 180_000
const endWithinMs = 8_000

type AnswerTo<Do extends Command['do']> = Do extends 'produce' | 'produceBulk'
  ? Produced
  : Do extends 'await'
    ? Runs
    : object

export class Programme {
  readonly #child: ChildProcess
  readonly #name: string
  readonly #logFile: string
  readonly #exited: Promise<void>
  #waiting: { resolve: (ok: object) => void; reject: (error: Error) => void } | undefined

  constructor(name: string, command: string, args: string[], logFile: string) {
    const log = openSync(logFile, 'a', 0o600)
    this.#name = name
    this.#logFile = logFile
    this.#child = spawn(command, args, { stdio: ['pipe', log, log, 'pipe'] })
    closeSync(log)
    this.#exited = new Promise((resolve) => this.#child.once('exit', () => resolve()))
    this.#child.once('error', (error) => this.#fail(error))
    this.#child.once('exit', (code, signal) =>
      this.#fail(new Error(`${name} ended (${signal ?? `code ${code}`})${this.#endOfLog()}`)),
    )
    // What cannot be written any more is told by the exit.
    this.#child.stdin!.on('error', () => {})
    createInterface({ input: this.#child.stdio[3] as Readable }).on('line', (line) => this.#onAnswer(JSON.parse(line)))
  }

  get pid(): number {
    return this.#child.pid!
  }

  /** Sends one command and waits for its answer. */
  async tell<C extends Command>(command: C): Promise<AnswerTo<C['do']>> {
    let timer: NodeJS.Timeout | undefined
    try {
      return (await new Promise<object>((resolve, reject) => {
        this.#waiting = { resolve, reject }
        timer = setTimeout(
          () => reject(new Error(`${this.#name} did not answer "${command.do}"${this.#endOfLog()}`)),
          answerWithinMs,
        )
        if (this.#child.exitCode !== null || this.#child.signalCode !== null)
          reject(new Error(`${this.#name} has ended`))
        else this.#child.stdin!.write(`${JSON.stringify(command)}\n`)
      })) as AnswerTo<C['do']>
    } finally {
      clearTimeout(timer)
      this.#waiting = undefined
    }
  }

  /** Ends it at once, as a crash would. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#exited
  }

  /** Lets it end; kills it when it does not. */
  async end(): Promise<void> {
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), endWithinMs)
    await this.tell({ do: 'end' }).catch(() => this.#child.kill('SIGKILL'))
    await this.#exited
    clearTimeout(timer)
  }

  #onAnswer(answer: Answer): void {
    if ('ok' in answer) this.#waiting?.resolve(answer.ok)
    else this.#fail(new Error(`${this.#name}: ${answer.error}`))
  }

  #fail(error: Error): void {
    this.#waiting?.reject(error)
  }

  #endOfLog(): string {
    const lines = readFileSync(this.#logFile, 'utf8').trimEnd().split('\n').slice(-8)
    return `; the end of its log:\n${lines.map((line) => `  ${line}`).join('\n')}`
  }
}
