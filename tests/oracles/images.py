"""Strided convolution and its transpose, one pixel and one kernel entry at a time."""

import numpy as np


def conv2d(x, kernel, stride):
    height, width, _ = x.shape
    size, edge = kernel.shape[0], stride // 2
    y = np.zeros((height // stride, width // stride, kernel.shape[-1]))
    for i, j, p, q in np.ndindex(*y.shape[:2], size, size):
        row, column = stride * i + p - edge, stride * j + q - edge
        if 0 <= row < height and 0 <= column < width:
            y[i, j] += x[row, column] @ kernel[p, q]
    return y


def conv2d_transpose(x, kernel, stride):
    height, width, _ = x.shape
    size, edge = kernel.shape[0], stride // 2
    y = np.zeros((height * stride, width * stride, kernel.shape[-1]))
    for i, j, p, q in np.ndindex(height, width, size, size):
        row, column = stride * i + p - edge, stride * j + q - edge
        if 0 <= row < len(y) and 0 <= column < y.shape[1]:
            y[row, column] += x[i, j] @ kernel[p, q]
    return y
