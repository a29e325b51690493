/* SPDX-License-Identifier: MIT */
/* save - responses into files, streamed (reqivo_request_set_save) or afterwards (reqivo_response_save). */
#include "libclient/save.h"

#include "libclient/newfile.h"
#include "libclient/request.h"
#include "libclient/response.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_MODE = 0666 };

struct rqv_save {
    struct rqv_newfile file;
    bool wanted;   /* the response goes into it */
    int failed;    /* -errno of writing */
    int64_t total; /* -1: not known */
    uint64_t received;
    reqivo_progress_fn progress;
    void *userdata;
};

void rqv_save_free(struct rqv_save *save)
{
    if (!save)
        return;
    rqv_newfile_drop(&save->file);
    free(save);
}

static int on_head(struct reqivo_client *client, const struct reqivo_response *response, void *userdata)
{
    struct rqv_save *save = userdata;

    (void)client;
    save->total = reqivo_response_content_length(response);
    return 0;
}

static int on_body(struct reqivo_client *client, const void *bytes, size_t size, void *userdata)
{
    struct rqv_save *save = userdata;

    save->failed = rqv_newfile_write(&save->file, bytes, size);
    if (save->failed < 0)
        return -1;
    save->received += size;
    if (!save->progress)
        return 0;
    return save->progress(client, save->received, save->total, save->userdata) ? -1 : 0;
}

int reqivo_request_set_save(struct reqivo_request *request, const char *path, reqivo_progress_fn progress,
                            void *userdata)
{
    int saved = errno;

    if (!request || !path)
        return -EINVAL;
    struct rqv_save *save = calloc(1, sizeof *save);
    if (!save)
        return -ENOMEM;
    save->progress = progress;
    save->userdata = userdata;
    int r = rqv_newfile_open(&save->file, path, FILE_MODE);
    errno = saved;
    if (r < 0) {
        free(save);
        return r;
    }
    reqivo_request_set_stream(request, on_head, on_body, save); /* drops an earlier one */
    request->save = save;
    return 0;
}

bool rqv_save_wants(struct reqivo_request *request, unsigned status)
{
    if (!request->save)
        return true;
    request->save->wanted = status >= 200 && status <= 299;
    if (!request->save->wanted) {
        request->on_head = NULL;
        request->on_body = NULL;
    }
    return request->save->wanted;
}

void rqv_save_end(struct rqv_save *save, struct rqv_err *err)
{
    int saved = errno;
    int r = save->failed;

    if (err->code == 0 && save->wanted)
        r = rqv_newfile_commit(&save->file);
    errno = saved;
    if (r == 0)
        return;
    err->sys_errno = -r;
    rqv_err_set(err, REQIVO_E_BODY_SINK, REQIVO_PHASE_BODY, "%s", "the file could not be written");
}

int reqivo_response_save(const struct reqivo_response *response, const char *path)
{
    struct rqv_newfile file;
    int saved = errno;

    if (!response || !path)
        return -EINVAL;
    int r = rqv_newfile_open(&file, path, FILE_MODE);
    if (r == 0) {
        r = rqv_newfile_write(&file, reqivo_response_body(response), response->body_size);
        if (r == 0)
            r = rqv_newfile_commit(&file);
        rqv_newfile_drop(&file);
    }
    errno = saved;
    return r;
}
