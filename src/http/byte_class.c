/*
 * The grammars written as conditions on a byte, which the compiler turns into a table.
 */
#include "http/byte_class.h"

#define IS_DIGIT(b)	 ((b) >= '0' && (b) <= '9')
#define IS_ALPHA(b)	 (((b) >= 'A' && (b) <= 'Z') || ((b) >= 'a' && (b) <= 'z'))
#define IS_HEX(b)	 (IS_DIGIT(b) || ((b) >= 'A' && (b) <= 'F') || ((b) >= 'a' && (b) <= 'f'))
#define IS_TARGET(b)	 ((b) > 0x20 && (b) != 0x7f)
#define IS_VALUE(b)	 (IS_TARGET(b) || (b) == ' ' || (b) == '\t')
#define IS_UNRESERVED(b) (IS_ALPHA(b) || IS_DIGIT(b) || (b) == '-' || (b) == '.' || (b) == '_' || (b) == '~')
#define IS_SUB_DELIM(b) \
	((b) == '!' || (b) == '$' || ((b) >= '&' && (b) <= ',') || (b) == ';' || (b) == '=')
#define IS_REG_NAME(b)	 (IS_UNRESERVED(b) || IS_SUB_DELIM(b))
#define IS_PATH(b)	 (IS_REG_NAME(b) || (b) == ':' || (b) == '@' || (b) == '/')
#define IS_TOKEN(b) \
	(IS_ALPHA(b) || IS_DIGIT(b) || (b) == '!' || ((b) >= '#' && (b) <= '\'') || (b) == '*' || (b) == '+' || \
	    (b) == '-' || (b) == '.' || ((b) >= '^' && (b) <= '`') || (b) == '|' || (b) == '~')

#define CLASSES(b) \
	((IS_TOKEN(b) ? BYTE_TOKEN : 0) | (IS_VALUE(b) ? BYTE_VALUE : 0) | (IS_TARGET(b) ? BYTE_TARGET : 0) | \
	    (IS_UNRESERVED(b) ? BYTE_UNRESERVED : 0) | (IS_PATH(b) ? BYTE_PATH : 0) | \
	    (IS_REG_NAME(b) ? BYTE_REG_NAME : 0) | (IS_HEX(b) ? BYTE_HEX : 0) | (IS_DIGIT(b) ? BYTE_DIGIT : 0)),
#define CLASSES_4(b)	CLASSES(b) CLASSES((b) + 1) CLASSES((b) + 2) CLASSES((b) + 3)
#define CLASSES_16(b)	CLASSES_4(b) CLASSES_4((b) + 4) CLASSES_4((b) + 8) CLASSES_4((b) + 12)
#define CLASSES_64(b)	CLASSES_16(b) CLASSES_16((b) + 16) CLASSES_16((b) + 32) CLASSES_16((b) + 48)

const unsigned char byte_classes[256] = {
	CLASSES_64(0) CLASSES_64(64) CLASSES_64(128) CLASSES_64(192)
};
