package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// server is a running process that serves at an address.
type server struct {
	wait    func() error
	process *os.Process
	log     string // the name of a file
	address string
}

// serve starts a server that prints its URL when it is ready.
func (b *bench) serve(ctx context.Context, argv ...string) (*server, error) {
	s, out, err := b.launch(ctx, argv...)
	if err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err == nil {
		s.address, err = address(strings.TrimSpace(line))
	}
	if err != nil {
		s.stop()
		return nil, fmt.Errorf("%s: %w", argv, s.said(err))
	}
	return s, nil
}

// said is an error with what the server logged.
func (s *server) said(err error) error {
	log, _ := os.ReadFile(s.log)
	return fmt.Errorf("%w\n%s", err, log)
}

// launch starts a server, and returns what it prints. Its log goes to a file.
func (b *bench) launch(ctx context.Context, argv ...string) (*server, io.Reader, error) {
	log, err := os.CreateTemp(b.dir, filepath.Base(argv[0])+"*.log")
	if err != nil {
		return nil, nil, err
	}
	defer log.Close()
	c := exec.CommandContext(ctx, argv[0], argv[1:]...)
	c.Env = append(os.Environ(), b.env...)
	c.Stderr = log
	out, err := c.StdoutPipe()
	if err != nil {
		return nil, nil, err
	}
	if err := c.Start(); err != nil {
		return nil, nil, err
	}
	return &server{wait: c.Wait, process: c.Process, log: log.Name()}, out, nil
}

// stop ends the server and waits for it.
func (s *server) stop() {
	_ = s.process.Signal(syscall.SIGTERM)
	_ = s.wait()
}

// cpu is the CPU time of the server so far, in milliseconds; 0 where the system does not tell.
func (s *server) cpu() float64 {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.process.Pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(data), ") ") // proc_pid_stat(5): the fields from the third on
	fields := strings.Fields(rest)
	const utime, stime, tick = 14 - 3, 15 - 3, 10 * time.Millisecond
	if len(fields) <= stime {
		return 0
	}
	user, _ := strconv.Atoi(fields[utime])
	system, _ := strconv.Atoi(fields[stime])
	return ms(time.Duration(user+system) * tick)
}

// peak is the most memory that the server has held so far, in MiB; 0 where the system does not tell.
func (s *server) peak() float64 { return peakOf(s.process.Pid) }

// peakOf is that of a process.
func peakOf(pid int) float64 { return memoryOf(pid, "VmHWM") }

// resident is the memory that the server holds now, in MiB; 0 where the system does not tell.
func (s *server) resident() float64 { return memoryOf(s.process.Pid, "VmRSS") }

// memoryOf is a number of a process that proc_pid_status(5) has, in MiB; 0 where the system does not tell.
func memoryOf(pid int, field string) float64 {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(data), field+":")
	line, _, _ := strings.Cut(rest, "kB")
	kib, _ := strconv.Atoi(strings.TrimSpace(line))
	return float64(kib) / 1024
}
