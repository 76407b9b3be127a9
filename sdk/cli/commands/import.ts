import { closeSync, openSync, writeSync } from 'node:fs'
import type { Command } from 'commander'
import type { Client } from '@flowforge/sdk/client'
import type { FlowForgeError } from '@flowforge/sdk/client-error'
import { withClient, type GlobalOptions } from '../connection.ts'
import { FailedError, UsageError } from '../exit.ts'
import { importFile } from '../import/import-file.ts'
import { showProgress } from '../import/progress.ts'
import { survey } from '../import/read-lines.ts'
import { print } from '../output.ts'

interface ImportOptions extends GlobalOptions {
  errors?: string
}

/** Declares `flowforge import`. */
export function addImport(program: Command): void {
  program
    .command('import')
    .description(
      'Create a task from each line of a file. Importing the same file again within 24 h continues and doubles nothing.',
    )
    .argument('<file>', 'NDJSON: each line a task such as {"type": "echo", "payload": {}}')
    .option('--errors <file>', 'write refused lines there, as NDJSON, instead of to standard error')
    .addHelpText('after', '\nExample:\n  $ flowforge import tasks.ndjson --errors refused.ndjson')
    .action(async (file: string, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<ImportOptions>()
      await withClient(options, (client) => importAndReport(client, file, options))
    })
}

async function importAndReport(client: Client, file: string, options: ImportOptions): Promise<void> {
  const found = await survey(file)
  const progress = showProgress(found.lines)
  const refusals = options.errors === undefined ? undefined : openRefusals(options.errors)
  let [imported, refused] = [0, 0]
  const startMs = performance.now()
  const observer = {
    imported(lines: number) {
      imported += lines
      progress.update(imported + refused, refused)
    },
    refused(line: number, { status, message }: FlowForgeError) {
      refused++
      if (refusals === undefined) progress.say(`${file}:${line}: ${message} (${status})`)
      else writeSync(refusals, `${JSON.stringify({ line, status, message })}\n`)
      progress.update(imported + refused, refused)
    },
  }
  try {
    await importFile(client, file, found, observer)
  } catch (error) {
    progress.say(`stopped after ${imported} tasks of ${found.lines} lines; the same command continues`)
    throw error
  } finally {
    progress.stop()
    if (refusals !== undefined) closeSync(refusals)
  }
  const seconds = Number(((performance.now() - startMs) / 1_000).toFixed(3))
  if (options.json) print(JSON.stringify({ imported, refused, seconds }))
  else
    print(
      `${imported} imported, ${refused} refused, in ${seconds} s (${Math.round(imported / Math.max(seconds, 0.001))}/s)`,
    )
  if (refused > 0) throw new FailedError(`${refused} lines were refused`)
}

function openRefusals(file: string): number {
  try {
    return openSync(file, 'w')
  } catch (error) {
    throw new UsageError(`cannot write ${file}: ${(error as NodeJS.ErrnoException).code}`)
  }
}
