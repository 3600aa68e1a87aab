package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"fleece/conformance/imagefile"
)

func compareCommand() *cobra.Command {
	var formats [2]string
	c := &cobra.Command{
		Use:   "compare IMAGE IMAGE",
		Short: "whether a guest would see the same bytes in two disk images",
		Long: `Reads two images, qcow2 or raw, through the images below them, and says where they
differ first. What an image does not hold is zero; images of different sizes differ.
Exit status 1 says that they differ.`,
		Args: cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, paths []string) error {
			d, err := imagefile.Compare([2]string(paths), formats)
			if err != nil {
				return fmt.Errorf("compare: %w", err)
			}
			if d != nil {
				fmt.Fprintln(c.OutOrStdout(), d)
				return errFinding
			}
			fmt.Fprintln(c.OutOrStdout(), "the images are alike")
			return nil
		},
	}
	c.Flags().StringVar(&formats[0], "format", "", "format of the first image: qcow2 or raw (default: what it looks like)")
	c.Flags().StringVar(&formats[1], "format-2", "", "format of the second image")
	return c
}
