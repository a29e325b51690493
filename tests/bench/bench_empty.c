/* SPDX-License-Identifier: MIT */
/* bench_empty - a program that does nothing: what a process alone costs. */
int main(void)
{
    return 0;
}
