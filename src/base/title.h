/*
 * title: what `ps` shows for this process instead of its command line.
 *
 * The kernel shows the bytes where the arguments and the environment lay when the program started; the environment is
 * moved away so that both places can be written over. Longer titles are cut. A child inherits its parent's title.
 */
#ifndef REEVE_BASE_TITLE_H
#define REEVE_BASE_TITLE_H

/*
 * Once, at the top of main(), with what main() got; until then title_set() does nothing. The arguments stay readable:
 * argv's pointers are turned to copies.
 */
void	title_init(int argc, char **argv);
void	title_set(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
