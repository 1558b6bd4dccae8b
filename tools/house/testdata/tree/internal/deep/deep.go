package deep

func statements(n int) int {
	for i := 0; i < n; i++ {
		if i > 2 {
			return i
		}
	}
	return 0
}
