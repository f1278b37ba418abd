/* main: the process's first steps; everything else is a command's. */
#include "base/title.h"
#include "command/commands.h"
#include "http/field.h"

#include <locale.h>
#include <signal.h>

int
main(int argc, char **argv)
{
	/* Numbers, dates and messages look the same wherever we run. */
	setlocale(LC_ALL, "C");
	/* A reader who goes away (reeve status | head) is noticed by write(2). */
	signal(SIGPIPE, SIG_IGN);
	title_init(argc, argv);
	field_names_init();	/* before any process parses a head */
	return command_main(argc, argv);
}
