/** How the page looks; within it, since it takes nothing from elsewhere. */
export const pageStyle = `
:root { color-scheme: light dark; --text: #1d2430; --quiet: #5b6676; --line: #d9dee6; --shade: #f4f6f9; --page: #fff; --link: #1457b8 }
@media (prefers-color-scheme: dark) { :root { --text: #e4e8ee; --quiet: #9aa5b4; --line: #313a47; --shade: #1b222c; --page: #12171e; --link: #7fb2ff } }
* { box-sizing: border-box }
html { scroll-behavior: smooth }
body { margin: 0; font: 16px/1.55 system-ui, sans-serif; color: var(--text); background: var(--page); display: grid; grid-template-columns: 17rem minmax(0, 1fr) }
nav { position: sticky; top: 0; height: 100vh; overflow-y: auto; padding: 1.5rem 1rem; border-right: 1px solid var(--line); font-size: .875rem }
nav ul { list-style: none; margin: .5rem 0; padding: 0 } nav ul ul { padding-left: .75rem } nav li { margin: .15rem 0 }
nav > ul > li > a { font-weight: 600; color: inherit }
main { padding: 1.5rem 2.5rem 6rem; max-width: 60rem }
a { color: var(--link); text-decoration: none } a:hover { text-decoration: underline }
h2 { margin-top: 3.5rem; border-bottom: 2px solid var(--line) } h3 { margin: 2.5rem 0 .25rem } h4 { margin: 1rem 0 .25rem; color: var(--quiet) }
p { margin: .4rem 0 } small { color: var(--quiet) }
code, pre { font: .875em/1.5 ui-monospace, monospace } code { background: var(--shade); padding: .1em .3em; border-radius: .25rem }
pre { background: var(--shade); padding: .75rem 1rem; border-radius: .375rem; overflow-x: auto }
.line code { background: none; font-size: 1rem } .line i { color: var(--link); font-style: normal }
.line b { display: inline-block; min-width: 4rem; text-align: center; border-radius: .25rem; color: #fff; font-size: .8rem; padding: .1rem .4rem; background: #555f6d }
.line b.get { background: #1a6f4b } .line b.post { background: #1457b8 } .line b.patch { background: #8a5a00 } .line b.delete { background: #a3263a }
dl { margin: .25rem 0; border-top: 1px solid var(--line) } dt { margin-top: .5rem } dd { margin: 0 0 .5rem 1rem }
dl > dd { padding-bottom: .35rem; border-bottom: 1px solid var(--line) }
@media (max-width: 50rem) { body { display: block } nav { position: static; height: auto; border: 0 } nav ul ul { display: none } main { padding: 1rem } }
`
