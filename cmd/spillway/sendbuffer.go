package main

import "net"

// sendBuffer is how much of its responses the kernel takes for a client on this machine that does not
// read: twice that, as Linux counts. By itself Linux takes 2.6 MB and more on loopback, whose
// segments are of 64 KB, and every byte of them is carried at once and for nothing. Clients elsewhere
// get what Linux finds out about their network.
const sendBuffer = 128 << 10

func boundKernel(c net.Conn) {
	if s, ok := c.(interface{ SetWriteBuffer(bytes int) error }); ok && isLocal(c.RemoteAddr()) {
		_ = s.SetWriteBuffer(sendBuffer) // without it the client takes more
	}
}
