export const adminTexts = {
  admin: {
    cancel: 'Cancel',
    again: 'Try again',
    noRight: 'Not with this key',
    noRightText: 'This needs the permission {{permission}}. Whoever manages keys can make one that has it.',
  },
}
