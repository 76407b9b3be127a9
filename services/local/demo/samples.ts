import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** A real webhook of GitHub: what it tells, and its exact body. */
export interface Sample {
  event: string
  body: string
  sha256: string
}

/** The 329 examples of webhook payloads that GitHub's own package ships, mean 10 kB. */
export function readSamples(): Sample[] {
  const file = fileURLToPath(import.meta.resolve('@octokit/webhooks-examples/api.github.com/index.json'))
  const events = JSON.parse(readFileSync(file, 'utf8')) as { name: string; examples: object[] }[]
  return events.flatMap(({ name, examples }) => examples.map((example) => sample(name, JSON.stringify(example))))
}

function sample(event: string, body: string): Sample {
  return { event, body, sha256: createHash('sha256').update(body).digest('hex') }
}
