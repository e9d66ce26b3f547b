/* What every pod's sandbox runs: nothing, until it is told to stop. */
#include <signal.h>
#include <unistd.h>

static void stop(int number)
{
	(void)number;
	_exit(0);
}

int main(void)
{
	signal(SIGINT, stop);
	signal(SIGTERM, stop);
	for (;;)
		pause();
}
