/* SPDX-License-Identifier: MIT */
/* progress - the line is drawn over itself: "\r", the text, "\033[K" for what is left of the one before. */
#include "cli/progress.h"

#define DRAW_MS 200u

void cli_progress_start(struct cli_progress *progress, FILE *out, uint64_t now_ms)
{
    *progress = (struct cli_progress){.out = out, .total = -1, .start_ms = now_ms, .shown_ms = now_ms};
}

const char *cli_progress_size(double bytes, char text[16])
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    size_t unit = 0;

    while (bytes >= 1000 && unit + 1 < sizeof(units) / sizeof(units[0])) {
        bytes /= 1024;
        unit++;
    }
    snprintf(text, 16, unit && bytes < 100 ? "%.1f %s" : "%.0f %s", bytes, units[unit]);
    return text;
}

static void draw(struct cli_progress *progress, uint64_t now_ms)
{
    double seconds = (double)(now_ms - progress->start_ms) / 1000;
    double speed = seconds > 0 ? (double)progress->received / seconds : 0;
    double total = (double)progress->total;
    char received[16], whole[16], rate[16];

    progress->shown = true;
    progress->shown_ms = now_ms;
    cli_progress_size((double)progress->received, received);
    cli_progress_size(speed, rate);
    if (progress->total > 0 && speed > 0) {
        uint64_t left = (uint64_t)((total - (double)progress->received) / speed);

        fprintf(progress->out, "\r%3.0f%%  %s of %s  %s/s  %llu:%02llu left\033[K",
                (double)progress->received * 100 / total, received, cli_progress_size(total, whole), rate,
                (unsigned long long)(left / 60), (unsigned long long)(left % 60));
    } else {
        fprintf(progress->out, "\r%s  %s/s\033[K", received, rate);
    }
    fflush(progress->out);
}

void cli_progress_add(struct cli_progress *progress, size_t size, uint64_t now_ms)
{
    progress->received += size;
    if (progress->out && now_ms - progress->shown_ms >= DRAW_MS)
        draw(progress, now_ms);
}

void cli_progress_finish(struct cli_progress *progress, uint64_t now_ms)
{
    if (!progress->out || !progress->shown)
        return;
    draw(progress, now_ms);
    fputc('\n', progress->out);
}
