#!/usr/bin/env node
// Plain JavaScript for any Node.js from 20.19 on: the bootstrap finds the Node.js that can read the rest.
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url))
const program = [path('../services/local/bootstrap.mjs'), path('main.ts'), ...process.argv.slice(2)]
const { status } = spawnSync(process.execPath, program, { stdio: 'inherit' })
process.exitCode = status ?? 1
