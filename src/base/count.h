/*
 * count: how many rows a table has. For arrays only; a pointer would give nonsense, and gcc says so
 * (-Wsizeof-pointer-div).
 */
#ifndef REEVE_BASE_COUNT_H
#define REEVE_BASE_COUNT_H

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

#endif
