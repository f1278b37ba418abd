/* Written whole and renamed into place; removed only while it still names us. */
#include "primary/inside.h"

#include "base/fd.h"
#include "base/memory.h"

#include <string.h>
#include <unistd.h>

#define PID_FILE_MODE 0644
#define PID_FILE_MAX 64

static bool
pid_file_write(const char *path, struct err *err)
{
	struct text text = { 0 };
	bool is_written;

	text_format(&text, "%d\n", (int)getpid());
	is_written = file_write(path, text_span(&text), PID_FILE_MODE, err);
	text_fini(&text);
	return is_written;
}

bool
pid_file_use(struct primary *primary, struct err *err)
{
	const char *path = primary->current->orders->pid_file;
	char *kept;

	if (path != NULL && primary->pid_file != NULL && strcmp(path, primary->pid_file) == 0)
		return true;
	if (path != NULL && !pid_file_write(path, err))
		return false;
	kept = path == NULL ? NULL : memory_copy_text(path);
	pid_file_remove(primary);
	primary->pid_file = kept;
	return true;
}

void
pid_file_remove(struct primary *primary)
{
	struct text text = { 0 };
	uint64_t pid = 0;

	if (primary->pid_file == NULL)
		return;
	if (file_read(primary->pid_file, PID_FILE_MAX, &text, NULL))
		(void)span_to_number(span_first(text_span(&text), text.len - (text.len > 0)), UINT32_MAX, &pid);
	if (pid == (uint64_t)getpid())
		(void)unlink(primary->pid_file);
	text_fini(&text);
	memory_free(primary->pid_file);
	primary->pid_file = NULL;
}
