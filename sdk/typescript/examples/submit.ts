/**
 * Hands in a task over HTTP and waits for its result.
 *
 *   node sdk/typescript/examples/submit.ts [url] [file with the API key]
 */
import { readFileSync } from 'node:fs'
import { Client } from '@flowforge/sdk'

const [url = 'http://127.0.0.1:8080', keyFile = '.flowforge/api-key'] = process.argv.slice(2)
const client = new Client({ url, apiKey: readFileSync(keyFile, 'utf8').trim() })

const { name } = await client.createTask({ type: 'echo', payload: { hello: 'world' } })
for await (const task of client.watchTask(name)) {
  console.log(task.state, task.result ?? '')
}
