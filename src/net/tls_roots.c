/*
 * A directory of hashed names is read a certificate at a time, when one is first needed; parsing all of a bundle in one
 * file takes OpenSSL 3.0 about 20 ms, in which no client is served. So the bundle is read only where there is no such
 * directory.
 */
#include "net/tls_roots.h"

#include "base/span.h"

#include <assert.h>
#include <dirent.h>
#include <stdlib.h>
#include <unistd.h>

#include <openssl/x509.h>

static X509_STORE *roots;

static const char *
place_of(const char *variable, const char *otherwise)
{
	const char *given = secure_getenv(variable);

	return given ? given : otherwise;
}

/* "4042bcee.0": what c_rehash(1) makes. */
static bool
is_hashed_name(const char *name)
{
	return strspn(name, "0123456789abcdef") == 8 && name[8] == '.' && name[9] >= '0' && name[9] <= '9';
}

static bool
directory_is_hashed(const char *path)
{
	DIR *directory = opendir(path);
	const struct dirent *entry;
	bool is_found = false;

	if (directory == NULL)
		return false;
	while (!is_found && (entry = readdir(directory)) != NULL)
		is_found = is_hashed_name(entry->d_name);
	closedir(directory);
	return is_found;
}

static bool
has_hashed_directory(void)
{
	return directory_is_hashed(place_of(X509_get_default_cert_dir_env(), X509_get_default_cert_dir()));
}

bool
tls_roots_are_there(void)
{
	return has_hashed_directory() ||
	    access(place_of(X509_get_default_cert_file_env(), X509_get_default_cert_file()), R_OK) == 0;
}

X509_STORE *
tls_roots(void)
{
	if (roots != NULL)
		return roots;
	roots = X509_STORE_new();
	assert(roots != NULL);
	/* A file that somebody names is all that he trusts. */
	if (secure_getenv(X509_get_default_cert_file_env()) == NULL && has_hashed_directory())
		X509_STORE_load_path(roots, place_of(X509_get_default_cert_dir_env(), X509_get_default_cert_dir()));
	else
		X509_STORE_set_default_paths(roots);
	return roots;
}
