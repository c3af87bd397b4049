#ifndef RG_SHIM_JANSSON_H
#define RG_SHIM_JANSSON_H
typedef struct json_t json_t;
#endif
