// Loaded before a program that must not outlive the one that started it: stdin ends when that one does, even when it is
// killed.
process.stdin
  .on('end', () => process.exit(0))
  .on('error', () => process.exit(0))
  .resume();
process.stdin.unref?.();
