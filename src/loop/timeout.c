/*
 * A queue a duration. All in one queue wait equally long, so arming puts at the end and the head is due first. The
 * class's timer sleeps until the head of the moment it was set; heads that went away meanwhile only mean that it wakes,
 * finds nothing due and sleeps again. That costs one wake-up a duration instead of one heap operation a request.
 */
#include "loop/timeout.h"

#include "base/memory.h"
#include "loop/turn.h"

struct timeout_class {
	struct list_node	 node;	/* in loop->classes */
	struct list_node	 queue;	/* struct timeout, borrowed: due first at the head */
	struct timer		 timer;
	uint64_t		 duration_ms;
	struct loop		*loop;
};

static struct timeout *
class_head(struct timeout_class *class)
{
	struct list_node *node = list_first(&class->queue);

	return node == NULL ? NULL : LIST_OWNER(node, struct timeout, node);
}

static void
class_sleep(struct timeout_class *class)
{
	struct timeout *head = class_head(class);
	uint64_t now_ms = loop_now_ms(class->loop);

	if (head != NULL)
		timer_arm(&class->timer, head->due_ms > now_ms ? head->due_ms - now_ms : 0);
}

/* Any timeout may be armed, disarmed or freed by who is called, so the head is looked up each time. */
static void
class_expire(void *owner)
{
	struct timeout_class *class = owner;
	uint64_t now_ms = loop_now_ms(class->loop);
	struct timeout *head;

	while ((head = class_head(class)) != NULL && head->due_ms <= now_ms) {
		list_remove(&head->node);
		head->on_timeout(head->owner);
	}
	class_sleep(class);
}

static struct timeout_class *
class_create(struct loop *loop, uint64_t duration_ms)
{
	struct timeout_class *class = memory_zalloc(sizeof(*class));

	class->duration_ms = duration_ms;
	class->loop = loop;
	list_init(&class->queue);
	timer_init(&class->timer, loop, class_expire, class);
	list_add_last(&loop->classes, &class->node);
	return class;
}

static void
class_free(struct timeout_class *class)
{
	struct list_node *node;

	while ((node = list_first(&class->queue)) != NULL)
		list_remove(node);
	timer_fini(&class->timer);
	list_remove(&class->node);
	memory_free(class);
}

void
timeout_classes_free(struct loop *loop)
{
	struct list_node *node;

	while ((node = list_first(&loop->classes)) != NULL)
		class_free(LIST_OWNER(node, struct timeout_class, node));
}

/* They are as few as the durations in a configuration, and callers keep what they get. */
struct timeout_class *
timeout_class_for(struct loop *loop, uint64_t duration_ms)
{
	if (duration_ms == 0)
		return NULL;
	for (struct list_node *node = loop->classes.next; node != &loop->classes; node = node->next) {
		struct timeout_class *class = LIST_OWNER(node, struct timeout_class, node);

		if (class->duration_ms == duration_ms)
			return class;
	}
	return class_create(loop, duration_ms);
}

void
timeout_init(struct timeout *timeout, timeout_fn *on_timeout, void *owner)
{
	*timeout = (struct timeout){ .on_timeout = on_timeout, .owner = owner };
	list_init(&timeout->node);
}

void
timeout_arm(struct timeout *timeout, struct timeout_class *class)
{
	list_remove(&timeout->node);
	if (class == NULL)
		return;
	timeout->due_ms = loop_now_ms(class->loop) + class->duration_ms;
	list_add_last(&class->queue, &timeout->node);
	if (!timer_is_armed(&class->timer))
		class_sleep(class);
}

void
timeout_disarm(struct timeout *timeout)
{
	list_remove(&timeout->node);
}

bool
timeout_is_armed(const struct timeout *timeout)
{
	return list_holds(&timeout->node);
}
