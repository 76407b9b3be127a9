/** The only file here that reads the environment. */

/** Where checkers are installed; `~/.cache/flowforge-tools` when unset. */
export const cacheFolder = process.env.FLOWFORGE_TOOLS
