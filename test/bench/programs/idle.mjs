// The least a program in Node takes: one that only waits.
process.stdout.write('ready\n')
setInterval(() => {}, 1000)
process.stdin.resume().once('end', () => {
  process.stdout.write('{}\n')
  process.exit()
})
