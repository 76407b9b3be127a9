import type { Command } from 'commander'
import { writeCompiledFiles } from '../compiled-files.ts'
import { loadPolicies } from '../policy/read-policies.ts'
import { say } from './say.ts'

export function addGenerate(program: Command): void {
  program
    .command('generate')
    .description('compile the contracts into every committed file that depends on them')
    .action(() => {
      const touched = writeCompiledFiles(loadPolicies())
      say(...touched.map((path) => `wrote ${path}`), `${touched.length} compiled files changed`)
    })
}
